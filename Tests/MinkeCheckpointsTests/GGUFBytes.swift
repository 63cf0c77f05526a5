@testable import MinkeCheckpoints

/// Builds the bytes of small GGUF files, sound and broken.
struct GGUFBytes {
    var version: UInt32 = 3
    var values: [(key: String, value: [UInt8])] = []
    var tensors: [(name: String, dimensions: [UInt64], type: UInt32, offset: UInt64)] = []
    var data: [UInt8] = []
    var alignment = 32

    static func little(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func text(_ string: String) -> [UInt8] { little(UInt64(string.utf8.count)) + Array(string.utf8) }

    mutating func set(_ key: String, _ value: UInt32) {
        values.append((key, Self.little(UInt32(4)) + Self.little(value)))
    }

    mutating func set(_ key: String, _ value: Float) {
        values.append((key, Self.little(UInt32(6)) + Self.little(value.bitPattern)))
    }

    mutating func set(_ key: String, _ value: String) {
        values.append((key, Self.little(UInt32(8)) + Self.text(value)))
    }

    mutating func set(_ key: String, _ value: GGUFArray) {
        values.append(
            (
                key,
                Self.little(UInt32(9)) + Self.little(value.elementKind.rawValue) + Self.little(UInt64(value.count))
                    + value.bytes
            ))
    }

    /// A tensor of floats, whose `shape` is given outermost first.
    mutating func add(_ name: String, _ shape: [Int], _ elements: [Float]) {
        data += [UInt8](repeating: 0, count: (alignment - data.count % alignment) % alignment)
        tensors.append((name, shape.reversed().map(UInt64.init), 0, UInt64(data.count)))
        data += elements.flatMap { Self.little($0.bitPattern) }
    }

    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8) + Self.little(version)
        bytes += Self.little(UInt64(tensors.count)) + Self.little(UInt64(values.count))
        for (key, value) in values { bytes += Self.text(key) + value }
        for tensor in tensors {
            bytes += Self.text(tensor.name) + Self.little(UInt32(tensor.dimensions.count))
            bytes += tensor.dimensions.flatMap { Self.little($0) } + Self.little(tensor.type)
            bytes += Self.little(tensor.offset)
        }
        return bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment) + data
    }
}
