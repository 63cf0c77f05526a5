import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeGeneration

@Suite struct TextModelTests {
    /// A folder with a written model, and `files` put over it.
    func folder(_ files: [String: String] = [:], tokenizer: Tokenizer? = .bytes) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try Fixtures.randomModel().withModel { try $0.write(to: folder.path) }
        try tokenizer?.write(to: folder.path, maximumLength: 128)
        for (name, text) in files { try AtomicFile.write(text, to: FileSystem.join(folder.path, name)) }
        return folder
    }

    @Test(arguments: ["gguf_v2_lite/q8_0.gguf", "gguf_v3_kquants/mixed.gguf"])
    func filesOfGGUFAreModelsOfText(name: String) throws {
        let parts = name.split(separator: "/").map(String.init)
        guard let folder = Fixtures.folder(parts[0]) else { return }
        let path = FileSystem.join(folder, parts[1])
        let model = try TextModel(contentsOf: path)
        let tokenizer = try #require(model.tokenizer)
        #expect(try Tokenizer(path: path).fingerprint == tokenizer.fingerprint)
        #expect(model.stopTokens == Set([tokenizer.eosToken].compactMap { $0 }))
        let options = GenerationOptions(maximumTokens: 5, ignoresStopTokens: true)
        #expect(try model.generate("Some text", options: options).ids.count == 5)
        // Neither file has a template of its own.
        _ = try ChatTemplate(path: path, tokenizer: tokenizer)
    }

    @Test func aWrittenModelComesBack() throws {
        let folder = try folder()
        let model = try TextModel(contentsOf: folder.path)
        #expect(model.tokenizer?.fingerprint == Tokenizer.bytes.fingerprint)
        #expect(model.stopTokens == [257])
        #expect(try model.encode("hi") == [256, 104, 105])
        #expect(try model.encode(try #require(model.tokenizer?.token(for: 256)) + "hi") == [256, 104, 105])
        let options = GenerationOptions(maximumTokens: 8)
        #expect(
            try model.generate("hi", options: options).ids
                == Fixtures.randomModel().generate("hi", options: options).ids)
    }

    @Test func endTokensComeFromTheNearestFile() throws {
        let generation = try folder(["generation_config.json": #"{"eos_token_id": [3, 5]}"#])
        #expect(try TextModel(contentsOf: generation.path).stopTokens == [3, 5])
        let broken = try folder(["generation_config.json": #"{"eos_token_id": "end"}"#])
        let error = #expect(throws: InputError.self) { try TextModel(contentsOf: broken.path) }
        #expect(error?.description.contains("generation_config.json: eos_token_id") == true)
    }

    @Test func aModelWithoutTokenizerWorksOnIDs() throws {
        let folder = try folder(tokenizer: nil)
        let model = try TextModel(contentsOf: folder.path)
        let generation = try model.generate(ids: [1, 2], options: GenerationOptions(maximumTokens: 3))
        #expect(generation.ids.count == 3 && generation.text == "")
        let error = #expect(throws: InputError.self) { try model.generate("text") }
        #expect(error?.description.contains("tokenizer.json") == true)
    }

    @Test(arguments: ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"])
    func aBrokenFileIsNamed(name: String) throws {
        let folder = try folder([name: "{ broken"])
        let error = #expect(throws: InputError.self) { try TextModel(contentsOf: folder.path) }
        #expect(error?.description.hasPrefix(FileSystem.join(folder.path, name)) == true)
    }

    @Test func aMissingTokenIsNamed() throws {
        let folder = try folder(["tokenizer_config.json": #"{"bos_token": "<nowhere>"}"#])
        let error = #expect(throws: InputError.self) { try Tokenizer(path: folder.path) }
        #expect(error?.description.contains("tokenizer_config.json: bos_token") == true)
    }
}
