import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct GGUFWriterTests {
    private static let bytes: [UInt8] = (0..<68).map { UInt8($0) }

    private func write(
        _ tensors: [GGUFWriter.Declaration], to path: String, metadata: GGUFMetadata = GGUFMetadata(),
        pieces: [[UInt8]]? = nil
    ) throws {
        try GGUFWriter.write(to: path, metadata: metadata, tensors: tensors) { index, write in
            let size = try #require(tensors[index].type.byteCount(shape: tensors[index].shape))
            for piece in pieces ?? [Array(Self.bytes[..<size])] { try piece.withUnsafeBytes(write) }
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        let folder = try TemporaryDirectory()
        var metadata = GGUFMetadata()
        let values: [GGUFValue] = [
            .uint8(200), .int8(-3), .uint16(60_000), .int16(-300), .uint32(4_000_000_000), .int32(-70_000),
            .float32(0.707), .bool(true), .string("größer"), .array(GGUFArray(["a", "", "ü"])),
            .array(GGUFArray([Int32(-1), 7])), .array(GGUFArray([Float(1.5)])), .uint64(1 << 60), .int64(-1 << 60),
            .float64(0.1),
        ]
        for (index, value) in values.enumerated() { metadata["key.\(values.count - index)"] = value }
        let tensors: [GGUFWriter.Declaration] = [
            ("vector", .float32, [5]), ("blocks", .q80, [2, 32]), ("stack", .bfloat16, [2, 3, 4]),
        ]
        try write(tensors, to: folder("x.gguf"), metadata: metadata)
        let file = try GGUFFile(path: folder("x.gguf"))
        #expect(file.metadata == metadata)
        #expect(file.tensorNames == tensors.map(\.name))
        for (name, type, shape) in tensors {
            let tensor = try file.tensor(name)
            #expect(tensor.type == type && tensor.shape == shape)
            #expect(tensor.withBytes { Array($0) } == Array(Self.bytes[..<tensor.bytes.count]))
        }
    }

    @Test(arguments: [[[UInt8](repeating: 0, count: 19)], [[0], [UInt8](repeating: 0, count: 20)], []])
    func wrongAmountsOfDataLeaveNoFile(pieces: [[UInt8]]) throws {
        let folder = try TemporaryDirectory()
        #expect(throws: InputError.self) { try write([("x", .float32, [5])], to: folder("x.gguf"), pieces: pieces) }
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test(arguments: [
        [("x", StoredType.float32, [1]), ("x", .float32, [1])], [("x", .q80, [33])], [("x", .float8E4M3, [4])],
        [("x", .float32, [.max, 2])],
    ]) func impossibleTensorsAreRefused(tensors: [GGUFWriter.Declaration]) throws {
        let folder = try TemporaryDirectory()
        #expect(throws: InputError.self) { try write(tensors, to: folder("x.gguf")) }
        #expect(try FileSystem.list(folder.path).isEmpty)
    }
}
