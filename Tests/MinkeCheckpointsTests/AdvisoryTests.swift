import MinkeFiles
import Testing

@testable import MinkeCheckpoints

/// One small file for each class of defect that readers of model files have published advisories about: here those of
/// containers and folders. All must be refused in one line that names the file.
@Suite struct AdvisoryTests {
    /// Little-endian 64 bits.
    static func word(_ value: UInt64) -> [UInt8] { GGUFBytes.little(value) }

    /// The start of a file with these counts.
    static func header(tensors: UInt64 = 0, values: UInt64 = 0) -> [UInt8] {
        Array("GGUF".utf8) + GGUFBytes.little(UInt32(3)) + word(tensors) + word(values)
    }

    static func tensor(_ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, dataBytes: Int = 64) -> [UInt8] {
        var file = GGUFBytes()
        file.tensors = [("t", dimensions, type, offset)]
        file.data = [UInt8](repeating: 1, count: dataBytes)
        return file.bytes
    }

    static func value(_ key: String, _ value: [UInt8]) -> [UInt8] {
        var file = GGUFBytes()
        file.values = [(key, value)]
        return file.bytes
    }

    static func list(_ kind: UInt32, _ count: UInt64) -> [UInt8] {
        GGUFBytes.little(UInt32(9)) + GGUFBytes.little(kind) + word(count)
    }

    static let containers: [(name: String, bytes: [UInt8])] = [
        // Talos 2024-1913, CVE-2024-23496: counts and lengths that overflow or outsize the file.
        ("tensor count 2^63", header(tensors: 1 << 63)), ("tensor count 2^64 - 1", header(tensors: .max)),
        ("value count 2^64 - 1", header(values: .max)), ("value count 2^60", header(values: 1 << 60)),
        ("key length 2^64 - 1", header(values: 1) + word(.max)),
        ("key length 2^64 - 8", header(values: 1) + word(.max - 7) + [1, 2, 3, 4]),
        ("text length 2^63", value("k", GGUFBytes.little(UInt32(8)) + word(1 << 63))),
        // GHSA-8wwf-w4qm-gpqr: the length of one token.
        ("token length 2^31", value("tokenizer.ggml.tokens", list(8, 1) + word(1 << 31) + [65])),
        ("token length 2^64 - 1", value("tokenizer.ggml.tokens", list(8, 1) + word(.max) + [65])),
        // Unbounded allocation for metadata, CVE-2025-0315, GO-2025-3557.
        ("2^61 numbers", value("k", list(10, 1 << 61))), ("2^62 bytes", value("k", list(0, 1 << 62))),
        ("2^32 texts", value("k", list(8, 1 << 32))), ("2^60 lists", value("k", list(9, 1 << 60))),
        // CVE-2025-53630, CVE-2026-27940: products and sums of sizes that wrap around.
        ("2^32 × 2^32 elements", tensor([1 << 32, 1 << 32])), ("2^62 floats", tensor([1 << 62])),
        ("2^16 four times", tensor([1 << 16, 1 << 16, 1 << 16, 1 << 16])), ("dimension 2^63", tensor([1 << 63])),
        ("2^61 blocks", tensor([1 << 62, 32], type: 8)),
        // CVE-2026-7482: data beyond the end of the file.
        ("offset beyond the end", tensor([4], offset: 1 << 20)), ("offset 2^64 - 32", tensor([4], offset: .max - 31)),
        ("offset 2^63", tensor([4], offset: 1 << 63)), ("size beyond the end", tensor([17], dataBytes: 64)),
        ("no data at all", tensor([1], dataBytes: 0)),
        // GO-2025-3559, GO-2025-3689: divisions by zero.
        ("alignment 0", value("general.alignment", GGUFBytes.little(UInt32(4)) + GGUFBytes.little(UInt32(0)))),
        ("dimension 0", tensor([0])), ("no dimensions", tensor([])),
        // Padding that wraps around.
        ("alignment 2^32 - 1", value("general.alignment", GGUFBytes.little(UInt32(4)) + GGUFBytes.little(UInt32.max))),
        ("half a block", tensor([16], type: 8)), ("type 2^32 - 1", tensor([4], type: .max)),
        // GO-2025-3582, CVE-2024-41130: nothing where something is expected.
        ("empty", []), ("only the magic", Array("GGUF".utf8)), ("an empty name", header(tensors: 1) + word(0)),
        // Recursion.
        (
            "nested lists",
            header(values: 1) + word(1) + [65] + GGUFBytes.little(UInt32(9))
                + (0..<20_000).flatMap { _ in GGUFBytes.little(UInt32(9)) + word(1) }
        ),
    ]

    @Test(arguments: containers.map(\.name)) func container(name: String) throws {
        let bytes = try #require(Self.containers.first { $0.name == name }).bytes
        try expectRefusal(bytes, as: "model.gguf") { _ = try GGUFFile(path: $0) }
    }

    static let safetensorsFiles: [(name: String, bytes: [UInt8])] = [
        ("header of 2^64 - 1", word(.max) + Array("{}".utf8)),
        ("header of 100,000,001", word(100_000_001) + [UInt8](repeating: 32, count: 64)),
        ("no brace first", safetensors(" {}")), ("a list", safetensors("[]")), ("text behind", safetensors("{}x")),
        // Polyglot files: data that belongs to no tensor.
        ("bytes behind the data", safetensors("{}", data: Array("PK\u{3}\u{4}".utf8))),
        (
            "a hole",
            safetensors(#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}"#, data: [1, 2])
        ),
        (
            "overlapping",
            safetensors(
                #"{"a": {"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                data: [1, 2, 3])
        ),
        (
            "a key twice",
            safetensors(
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                data: [1])
        ),
        (
            "a product of 2^64",
            safetensors(#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#)
        ),
        ("a negative size", safetensors(#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}"#)),
        ("a size of 2^64", safetensors(#"{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}}"#)),
        ("offsets reversed", safetensors(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, data: [1])),
        ("beyond the end", safetensors(#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, data: [1])),
        ("deep nesting", safetensors(#"{"a":"# + String(repeating: "[", count: 10_000))),
    ]

    @Test(arguments: safetensorsFiles.map(\.name)) func safetensorsRule(name: String) throws {
        let bytes = try #require(Self.safetensorsFiles.first { $0.name == name }).bytes
        try expectRefusal(bytes, as: "model.safetensors") { _ = try SafetensorsFile(path: $0) }
    }

    /// CVE-2024-37032: names in a file that lead out of its folder.
    @Test(arguments: [
        "../model.safetensors", "/etc/hostname", "a/../../model.safetensors", "..", ".", "", "model.safetensors/..",
    ])
    func indexStaysInItsFolder(shard: String) throws {
        let folder = try TemporaryDirectory()
        try AtomicFile.write(#"{"model_type": "deepseek_v3"}"#, to: folder("config.json"))
        let index: JSON = ["metadata": [:], "weight_map": ["a": .string(shard)]]
        try AtomicFile.write(index.text(), to: folder("model.safetensors.index.json"))
        #expect(throws: InputError.self) { try ModelFolder(path: folder.path) }
    }

    /// Parts of a split model are looked for beside it under their fixed names only.
    @Test func partsCannotBeElsewhere() throws {
        var file = GGUFBytes()
        file.set("split.count", 99_999 as UInt32)
        try expectRefusal(file.bytes, as: "model.gguf") { _ = try GGUFFile(path: $0) }
        try expectRefusal(file.bytes, as: "x-00001-of-99999.gguf") { _ = try GGUFFile(path: $0) }
    }

    func expectRefusal(_ bytes: [UInt8], as name: String, _ open: (String) throws -> Void) throws {
        let folder = try TemporaryDirectory()
        try AtomicFile.write(bytes, to: folder(name))
        #expect {
            try open(folder(name))
        } throws: { error in
            let text = "\(error)"
            return error is InputError && text.hasPrefix(folder(name)) && !text.contains(where: \.isNewline)
        }
    }
}
