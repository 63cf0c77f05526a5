import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct StoredTensorTests {
    /// A tensor of one dimension with these bytes, at an odd address.
    func tensor(_ type: StoredType, _ bytes: [UInt8]) throws -> StoredTensor {
        let directory = try TemporaryDirectory()
        try AtomicFile.write([0] + bytes, to: directory("file"))
        return StoredTensor(
            name: "x", type: type, shape: [bytes.count / type.blockBytes],
            file: try MappedFile(path: directory("file")),
            range: 1..<1 + bytes.count)
    }

    func bytes(_ values: [some FixedWidthInteger]) -> [UInt8] {
        values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    }

    @Test func wideFloats() throws {
        let values: [Float] = [0, -0.0, 1.5, -3e38, 0x1p-149, .infinity]
        #expect(try tensor(.float32, bytes(values.map(\.bitPattern))).floats() == values)
        #expect(try tensor(.float64, bytes(values.map { Double($0).bitPattern })).floats() == values)
        #expect(
            try tensor(.bfloat16, bytes([0x3FC0, 0xC000, 0x0001, 0x7F80] as [UInt16])).floats() == [
                1.5, -2, 0x1p-133, .infinity,
            ])
    }

    @Test func everyHalf() throws {
        let patterns = Array(0...UInt16.max)
        let floats = try tensor(.float16, bytes(patterns)).floats()
        for (pattern, value) in zip(patterns, floats) {
            let exponent = Int(pattern >> 10 & 31)
            let fraction = Double(pattern & 0x3FF) / 1024
            var expected =
                exponent == 0
                ? fraction * 0x1p-14 : (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
            if exponent == 31 { expected = fraction == 0 ? .infinity : .nan }
            if pattern >= 0x8000 { expected = -expected }
            guard value.isNaN ? expected.isNaN : Double(value) == expected else {
                Issue.record("\(pattern): \(value), expected \(expected)")
                return
            }
        }
    }

    @Test func narrowFloats() throws {
        let e4m3 = try tensor(.float8E4M3, [0x00, 0x38, 0xB8, 0x7E, 0x01, 0x08, 0x07, 0xFE]).floats()
        #expect(e4m3 == [0, 1, -1, 448, 0x1p-9, 0x1p-6, 7 * 0x1p-9, -448])
        #expect(try tensor(.float8E4M3, [0x7F, 0xFF]).floats().allSatisfy { $0.isNaN })
        #expect(
            try tensor(.float8E5M2, [0x3C, 0xC0, 0x7B, 0x01, 0x7C]).floats() == [1, -2, 57344, 0x1p-16, .infinity])
        #expect(try tensor(.float8E8M0, [127, 128, 0, 254]).floats() == [1, 2, 0x1p-127, 0x1p127])
        #expect(try tensor(.float8E8M0, [255]).floats()[0].isNaN)
    }

    @Test func integers() throws {
        #expect(try tensor(.int64, bytes([Int64.min, 5])).integers() == [Int.min, 5])
        #expect(try tensor(.int32, bytes([Int32(-7)])).integers() == [-7])
        #expect(try tensor(.int16, bytes([Int16(-7)])).integers() == [-7])
        #expect(try tensor(.int8, [0xF9]).integers() == [-7])
        #expect(try tensor(.uint64, bytes([UInt64(7)])).integers() == [7])
        #expect(try tensor(.uint32, bytes([UInt32.max])).integers() == [4_294_967_295])
        #expect(try tensor(.uint16, bytes([UInt16.max])).integers() == [65535])
        #expect(try tensor(.uint8, [0xF9]).integers() == [249])
        #expect(throws: InputError.self) { try tensor(.uint64, bytes([UInt64.max])).integers() }
        #expect(throws: InputError.self) { try tensor(.bool, [1]).integers() }
    }
}
