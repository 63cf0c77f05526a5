import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct EncodingTests {
    private func encoded(_ elements: [Float], as type: StoredType) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: elements.count / type.blockElements * type.blockBytes)
        elements.withUnsafeBufferPointer { elements in bytes.withUnsafeMutableBytes { type.encode(elements, to: $0) } }
        return bytes
    }

    private func decoded(_ bytes: [UInt8], as type: StoredType) -> [Float] {
        var elements = [Float](repeating: .nan, count: bytes.count / type.blockBytes * type.blockElements)
        bytes.withUnsafeBytes { bytes in elements.withUnsafeMutableBufferPointer { type.decode(bytes, to: $0) } }
        return elements
    }

    /// Numbers between -1 and 1, heavier in the middle, the same in every run.
    private func numbers(_ count: Int) -> [Float] {
        var state: UInt32 = 12345
        func next() -> Float {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 24) - 0.5
        }
        return (0..<count).map { _ in (next() + next() + next()) * 2 / 3 }
    }

    @Test(arguments: StoredType.encodable) func relativeErrorsAreSmall(type: StoredType) {
        let bounds: [StoredType: Double] = [
            .float32: 0, .float16: 3e-4, .bfloat16: 2.2e-3, .q80: 6e-3, .q40: 0.085, .q41: 0.078, .q50: 0.043,
            .q51: 0.038, .q4K: 0.07, .q5K: 0.036, .q6K: 0.018, .mxfp4: 0.13,
        ]
        let elements = numbers(4096)
        let copy = decoded(encoded(elements, as: type), as: type)
        let difference = zip(elements, copy).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let error = (difference / elements.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
        #expect(error <= bounds[type] ?? -1, "\(type.rawValue): \(error)")
        #expect(type == .float32 || error > (bounds[type] ?? 0) / 2)
    }

    @Test(arguments: StoredType.encodable) func constantBlocksStayConstant(type: StoredType) {
        for value: Float in [0, 1, -3, 0.0078125] {
            let copy = decoded(encoded([Float](repeating: value, count: 256), as: type), as: type)
            let isClose = copy.allSatisfy { abs($0 - value) <= abs(value) * 0.01 }
            #expect(isClose, "\(type.rawValue): \(value) became \(copy[0])")
        }
    }

    @Test(arguments: StoredType.encodable) func extremeValuesDoNoHarm(type: StoredType) {
        for value: Float in [.nan, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            var elements = numbers(256)
            elements[7] = value
            _ = encoded(elements, as: type)
        }
    }

    @Test(
        arguments: [
            (1, 0x3C00), (-2, 0xC000), (65_504, 0x7BFF), (65_519, 0x7BFF), (65_520, 0x7C00),
            (0x1p-24, 1), (0x1p-25, 0), (0x1.8p-24, 2), (0x1p-14, 0x400), (1 + 0x1p-11, 0x3C00), (0x1.006p0, 0x3C02),
        ] as [(Float, UInt16)]) func halvesRoundToEven(value: Float, bits: UInt16)
    {
        #expect(encoded([value], as: .float16) == [UInt8(bits & 0xFF), UInt8(bits >> 8)])
    }

    @Test func blocksEqualTheReferenceToTheBit() throws {
        guard let folder = Fixtures.directory("gguf_types") else { return }
        let file = try GGUFFile(path: FileSystem.join(folder, "types.gguf"))
        let expected = try SafetensorsFile(path: FileSystem.join(folder, "expected.safetensors"))
        var checked = 0
        for name in file.tensorNames where name.hasPrefix("quantized.") {
            let target = try file.tensor(name)
            let source = try #require(expected.tensor("source." + name.dropFirst(10))).floats()
            #expect(target.withBytes { Array($0) } == encoded(source, as: target.type), "\(name)")
            checked += 1
        }
        #expect(checked == 8)
    }
}
