import CMinkeKernels
import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct GGUFFileTests {
    func open(_ file: GGUFBytes) throws -> GGUFFile {
        let directory = try TemporaryDirectory()
        try AtomicFile.write(file.bytes, to: directory("model.gguf"))
        return try GGUFFile(path: directory("model.gguf"))
    }

    @Test(arguments: [2, 3] as [UInt32]) func valuesAndTensors(version: UInt32) throws {
        var bytes = GGUFBytes(version: version)
        bytes.set("count", 7 as UInt32)
        bytes.set("ratio", 0.0707 as Float)
        bytes.set("words", GGUFArray(["one", "", "größe"]))
        bytes.set("numbers", GGUFArray([-1, 2] as [Int32]))
        bytes.add("a", [3, 2], [1, 2, 3, 4, 5, 6])
        bytes.add("b", [2], [7, 8])
        let file = try open(bytes)
        #expect(file.metadata.keys == ["count", "ratio", "words", "numbers"])
        #expect(try file.metadata.integer("count") == 7)
        #expect(try file.metadata.number("ratio") == 0.0707)
        #expect(try file.metadata.strings("words") == ["one", "", "größe"])
        #expect(try file.metadata.integers("numbers") == [-1, 2])
        #expect(try file.metadata.integer("nothing") == nil)
        #expect(throws: InputError.self) { try file.metadata.integer("words") }
        #expect(throws: InputError.self) { try file.metadata.strings("numbers") }
        #expect(file.tensorNames == ["a", "b"])
        #expect(try file.tensor("a").shape == [3, 2])
        #expect(try file.tensor("a").rows(1..<2).floats() == [3, 4])
        #expect(throws: InputError.self) { try file.tensor("a").rows(2..<4) }
        #expect(try file.tensor("b").floats() == [7, 8])
        #expect(throws: InputError.self) { try file.tensor("c") }
    }

    @Test func unsupportedTypesAreNamedWhenUsed() throws {
        var bytes = GGUFBytes()
        bytes.tensors.append(("x", [256], 16, 0))
        bytes.data = [UInt8](repeating: 0, count: 66)
        let file = try open(bytes)
        #expect { try file.tensor("x") } throws: { "\($0)".contains("IQ2_XXS is not supported") }
    }

    @Test func everyCutIsRefused() throws {
        var bytes = GGUFBytes()
        bytes.set("words", GGUFArray(["one", "two"]))
        bytes.add("a", [2, 2], [1, 2, 3, 4])
        let directory = try TemporaryDirectory()
        let whole = bytes.bytes
        for length in 0..<whole.count {
            try AtomicFile.write(Array(whole[..<length]), to: directory("cut.gguf"))
            #expect(throws: InputError.self) { try GGUFFile(path: directory("cut.gguf")) }
        }
    }

    @Test func parts() throws {
        guard let root = Fixtures.directory("gguf_v2_lite") else { return }
        let names = ["q4_0-00001-of-00002.gguf", "q4_0-00002-of-00002.gguf"]
        for name in names {
            let file = try GGUFFile(path: FileSystem.join(root, name))
            #expect(file.tensorNames.count == 29)
            #expect(FileSystem.name(of: file.path) == names[0])
            #expect(try file.metadata.string("general.architecture") == "deepseek2")
        }
        let directory = try TemporaryDirectory()
        try AtomicFile.write(FileSystem.readAll(FileSystem.join(root, names[1])), to: directory(names[1]))
        #expect {
            try GGUFFile(path: directory(names[1]))
        } throws: {
            "\($0)".contains("the part \(names[0]) is missing")
        }
        try AtomicFile.write(FileSystem.readAll(FileSystem.join(root, names[1])), to: directory("other.gguf"))
        #expect(throws: InputError.self) { try GGUFFile(path: directory("other.gguf")) }
        try AtomicFile.write(FileSystem.readAll(FileSystem.join(root, names[1])), to: directory(names[0]))
        #expect(throws: InputError.self) { try GGUFFile(path: directory(names[1])) }
    }

    @Test func everyTypeDecodes() throws {
        guard let root = Fixtures.directory("gguf_types") else { return }
        let file = try GGUFFile(path: FileSystem.join(root, "types.gguf"))
        let expected = try SafetensorsFile(path: FileSystem.join(root, "expected.safetensors"))
        var decoded: Set<StoredType> = []
        for name in file.tensorNames {
            guard let tensor = try? file.tensor(name), let target = expected.tensor(name) else { continue }
            decoded.insert(tensor.type)
            let values = try tensor.floats()
            let targets = try target.floats()
            #expect(values.count == targets.count)
            #expect(zip(values, targets).allSatisfy { abs($0 - $1) <= 2e-6 * abs($1) }, "\(name)")
        }
        #expect(decoded.count == 16)
    }

    @Test func blockSizesAreThoseOfTheKernels() {
        for type in StoredType.allCases {
            guard let code = type.formatCode else { continue }
            #expect(Int(minkeBlockElements(code)) == type.blockElements)
            #expect(Int(minkeBlockBytes(code)) == type.blockBytes)
        }
        for code in UInt32(0)...64 {
            guard let type = GGUFTensorType(code: code), let stored = type.storedType else { continue }
            #expect(stored.rawValue == type.name && stored.blockBytes == type.blockBytes)
            #expect(stored.formatCode.map { $0 == Int32(code) } ?? true)
        }
        #expect(StoredType.q4K.byteCount(shape: [3, 512]) == 3 * 2 * 144)
        #expect(StoredType.q4K.byteCount(shape: [3, 128]) == nil)
    }

    @Test func safetensorsHoldNoBlocks() throws {
        let directory = try TemporaryDirectory()
        let header = #"{"x":{"dtype":"Q8_0","shape":[32],"data_offsets":[0,34]}}"#
        try AtomicFile.write(safetensors(header, data: [UInt8](repeating: 0, count: 34)), to: directory("x"))
        #expect(throws: InputError.self) { try SafetensorsFile(path: directory("x")) }
    }

    /// Faults that only a model or tokenizer can see: the container is sound.
    static let soundContainers = [
        "block_count_huge", "head_count_0", "experts_used_gt", "eps_nan", "no_tokens", "bos_out_of_range",
        "merges_bad", "tensor_missing", "scales_nan",
    ]

    @Test func malformedFiles() throws {
        guard let root = Fixtures.directory("malformed") else { return }
        let manifest = try JSON(parsing: FileSystem.readAll(FileSystem.join(root, "manifest.json")))
        let base = try GGUFModel(path: FileSystem.join(root, "base_gguf/model.gguf"))
        var checked = 0
        for entry in try #require(manifest.arrayValue) where entry["kind"] == "gguf" {
            let file = try #require(entry["file"]?.stringValue)
            let isModelsConcern = Self.soundContainers.contains { file == "gguf/\($0).gguf" }
            let expectation = isModelsConcern ? "accept" : try #require(entry["expect"]?.stringValue)
            checked += 1
            do {
                let model = try GGUFModel(path: FileSystem.join(root, file))
                #expect(expectation != "reject", "\(file) must be rejected")
                if !isModelsConcern { #expect(model.configuration == base.configuration) }
            } catch let error as InputError {
                #expect(expectation != "accept", "\(file): \(error)")
                #expect(error.description.hasPrefix(root) && !error.description.contains("\n"))
            }
        }
        #expect(checked == 57)
    }
}
