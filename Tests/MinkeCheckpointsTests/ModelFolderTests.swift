import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct ModelFolderTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Writes a file with one-byte tensors of these names.
    func writeWeights(_ fileName: String, _ names: String...) throws {
        try SafetensorsWriter.write(
            to: directory(fileName), tensors: names.map { ($0, .uint8, [1]) }
        ) { index, sink in
            try [UInt8(index)].withUnsafeBytes { try sink($0) }
        }
    }

    func problem() -> String {
        do {
            _ = try ModelFolder(path: directory.path)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func saysWhatIsMissing() throws {
        #expect(throws: InputError("no such folder", at: directory("none"))) {
            try ModelFolder(path: directory("none"))
        }
        #expect(problem() == "\(directory.path): config.json is missing from the folder")
        try AtomicFile.write("{}", to: directory("config.json"))
        #expect(problem().contains("neither model.safetensors nor model.safetensors.index.json"))
        #expect {
            try ModelFolder(path: directory("config.json"))
        } throws: { error in
            "\(error)".contains("is a file, but a model is a folder")
        }
    }

    @Test func opensASingleFile() throws {
        try AtomicFile.write(#"{"hidden_size": 16}"#, to: directory("config.json"))
        try writeWeights("model.safetensors", "b", "a")
        let folder = try ModelFolder(path: directory.path)
        #expect(folder.configuration["hidden_size"] == 16)
        #expect(folder.generationConfiguration == nil)
        #expect(folder.tensorNames == ["b", "a"])
        #expect(folder.hasTensor("a") && !folder.hasTensor("c"))
        #expect(try folder.tensor("a").integers() == [1])
        #expect(throws: InputError("the weights have no tensor \"c\"", at: directory.path)) { try folder.tensor("c") }
        try AtomicFile.write("[]", to: directory("generation_config.json"))
        #expect(problem() == "\(directory("generation_config.json")): is not a JSON object")
        try AtomicFile.write("{\"a\":}", to: directory("config.json"))
        #expect(problem() == "\(directory("config.json")): byte 5: invalid JSON: unexpected character")
    }

    @Test func opensShards() throws {
        try AtomicFile.write("{}", to: directory("config.json"))
        try AtomicFile.write(#"{"temperature": 0.6}"#, to: directory("generation_config.json"))
        try writeWeights("one.safetensors", "a", "b")
        try writeWeights("two.safetensors", "c", "a")
        func writeIndex(_ map: String) throws {
            try AtomicFile.write(#"{"weight_map": \#(map)}"#, to: directory("model.safetensors.index.json"))
        }
        try writeIndex(#"{"c": "two.safetensors", "b": "one.safetensors", "a": "two.safetensors"}"#)
        let folder = try ModelFolder(path: directory.path)
        #expect(folder.generationConfiguration?["temperature"] == 0.6)
        #expect(folder.tensorNames == ["c", "b", "a"])
        #expect(try folder.tensorNames.map { try folder.tensor($0).integers() } == [[0], [1], [1]])

        try writeIndex(#"{"c": "one.safetensors"}"#)
        #expect(problem().hasSuffix("model.safetensors.index.json: tensor \"c\": one.safetensors has no such tensor"))
        try writeIndex(#"{"c": "three.safetensors"}"#)
        #expect(problem().contains("the weights file three.safetensors is missing from the folder"))
        for name in ["../one.safetensors", "/dev/zero", "x/one.safetensors", "..", "", "one.safetensors\\u0000x"] {
            try writeIndex(#"{"a": "\#(name)"}"#)
            #expect(problem().contains("is not the plain name of a file"))
        }
        for map in ["[]", "null", #"{"a": 1}"#] {
            try writeIndex(map)
            #expect(problem() != "none")
        }
    }
}
