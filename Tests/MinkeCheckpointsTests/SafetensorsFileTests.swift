import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct SafetensorsFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try AtomicFile.write(bytes, to: directory("file"))
        return try SafetensorsFile(path: directory("file"))
    }

    static let valid =
        #"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[2,10]},"#
        + #""a":{"dtype":"U8","shape":[1,2],"data_offsets":[0,2]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[2,2]}}"#
    static let data: [UInt8] = [7, 9, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]

    @Test func readsTensorsInTheOrderOfTheHeader() throws {
        let file = try open(safetensors(Self.valid, data: Self.data))
        #expect(file.names == ["b", "a", "e"])
        #expect(file.metadata == ["format": "pt"])
        #expect(file.tensor("c") == nil)
        let b = try #require(file.tensor("b"))
        #expect(b.shape == [2] && b.type == .float32 && b.elementCount == 2)
        #expect(try b.floats() == [1, -2])
        #expect(try file.tensor("a")?.integers() == [7, 9])
        #expect(try file.tensor("e")?.floats() == [])
        #expect(throws: InputError.self) { try b.integers() }
        #expect(throws: InputError.self) { try file.tensor("a")?.floats() }
    }

    @Test func acceptsAnEmptyFileOfTheFormat() throws {
        #expect(try open(safetensors("{}")).names.isEmpty)
        #expect(try open(safetensors("{}  ")).names.isEmpty)
    }

    @Test func tensorKeepsItsFileAlive() throws {
        let tensor = try open(safetensors(Self.valid, data: Self.data)).tensor("b")
        try AtomicFile.write("", to: directory("file"))
        #expect(try tensor?.floats() == [1, -2])
    }

    @Test(arguments: [
        (#"[]"#, "the header does not begin with '{'"),
        (#" {}"#, "the header does not begin with '{'"),
        (#"{"a":1}"#, "tensor \"a\": its entry is not an object"),
        (#"{"__metadata__":[]}"#, "__metadata__: is not an object of strings"),
        (#"{"__metadata__":{"k":1}}"#, "__metadata__: the value of \"k\" is not a string"),
        (#"{"a":{"dtype":"F99","shape":[],"data_offsets":[0,4]}}"#, "unknown dtype \"F99\""),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "shape holds something other than integers"),
        (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, "shape holds something other than integers"),
        (#"{"a":{"dtype":"F32","shape":[],"data_offsets":[4]}}"#, "data_offsets has 1 numbers, expected 2"),
        (#"{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}"#, "data_offsets begin at 4, after their end 0"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "takes 8 bytes, data_offsets span 4"),
        (#"{"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#, "leave a hole before: begin at 4, expected 0"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, "but the file has 8 bytes of data"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "4 bytes after the last tensor belong to none"),
        (
            #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, "overflows 64 bits"
        ),
        (
            #"{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#, "overflows 64 bits"
        ),
        (
            #"{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
            "tensor \"b\": data_offsets overlap the tensor before: begin at 4, expected 6"
        ),
        (#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}}"#, "has keys besides"),
        (
            #"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{}}"#,
            "header: byte 53: invalid JSON: duplicate key"
        ),
        (
            "{\"\u{E9}\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                + "\"e\u{301}\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
            "only in the encoding of accents"
        ),
    ])
    func refusesBrokenHeaders(header: String, expected: String) throws {
        #expect {
            try open(safetensors(header, data: [UInt8](repeating: 0, count: 8)))
        } throws: { error in
            "\(error)".hasPrefix(directory("file") + ": ") && "\(error)".contains(expected)
        }
    }

    @Test func refusesWrongLengths() {
        #expect(throws: InputError.self) { try open([]) }
        #expect(throws: InputError.self) { try open([1, 0, 0]) }
        for length: UInt64 in [0, 1, 3, 100_000_001, 1 << 63, .max] {
            let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8)
            #expect(throws: InputError.self) { try open(bytes) }
        }
    }

    @Test func truncationIsAlwaysNoticed() throws {
        let bytes = safetensors(Self.valid, data: Self.data)
        for count in bytes.indices {
            #expect(throws: InputError.self) { try open(Array(bytes[..<count])) }
        }
    }

    @Test func damageIsAnErrorNeverACrash() throws {
        let bytes = safetensors(Self.valid, data: Self.data)
        for index in 0..<bytes.count - Self.data.count {
            for flip: UInt8 in [0x01, 0x08, 0x80] {
                var damaged = bytes
                damaged[index] ^= flip
                do {
                    let file = try open(damaged)
                    for name in file.names { #expect(try #require(file.tensor(name)).bytes.count <= Self.data.count) }
                } catch {
                    #expect(error is InputError)
                }
            }
        }
    }
}
