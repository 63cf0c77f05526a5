import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct SafetensorsWriterTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func readsBackWhatItWrote() throws {
        let values: [[Float]] = [[1, -2.5, 0x1p-140, .infinity, 0, 6], [], [42]]
        try SafetensorsWriter.write(
            to: directory("file"),
            tensors: [("z", .float32, [2, 3]), ("none", .float32, [4, 0]), ("a\"\u{1F433}", .float32, [])],
            metadata: ["step": "3", "format": "pt"]
        ) { index, sink in
            for value in values[index] { try withUnsafeBytes(of: value.bitPattern.littleEndian) { try sink($0) } }
        }
        let file = try SafetensorsFile(path: directory("file"))
        #expect(file.names == ["z", "none", "a\"\u{1F433}"])
        #expect(file.metadata == ["step": "3", "format": "pt"])
        for (name, expected) in zip(file.names, values) { #expect(try file.tensor(name)?.floats() == expected) }
        #expect(file.tensor("z")?.shape == [2, 3])
        #expect(file.tensor("a\"\u{1F433}")?.shape == [])
        let bytes = try FileSystem.readAll(directory("file"))
        #expect(bytes[0] % 8 == 0)
        #expect(try FileSystem.list(directory.path) == ["file"])
    }

    @Test func wrongAmountsOfDataLeaveNoFile() throws {
        for count in [0, 7, 9] {
            #expect(throws: InputError.self) {
                try SafetensorsWriter.write(to: directory("file"), tensors: [("a", .float64, [])]) { _, sink in
                    try [UInt8](repeating: 0, count: count).withUnsafeBytes { try sink($0) }
                }
            }
        }
        #expect(try FileSystem.list(directory.path).isEmpty)
    }

    @Test(arguments: [
        [("a", StoredType.uint8, [0]), ("a", .uint8, [0])], [("__metadata__", .uint8, [0])], [("a", .uint8, [-1])],
        [("a", .uint8, [.max, 2])], [("a", .uint8, [.max]), ("b", .uint8, [.max])],
    ])
    func refusesBadDeclarations(tensors: [SafetensorsWriter.Declaration]) throws {
        #expect(throws: InputError.self) {
            try SafetensorsWriter.write(to: directory("file"), tensors: tensors) { _, _ in }
        }
        #expect(try FileSystem.list(directory.path).isEmpty)
    }
}
