import MinkeCheckpoints
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTokenization
import Testing

@Suite struct GGUFTokenizerTests {
    @Test func tokenizerAndConfigurationOfAFile() throws {
        guard let folder = Fixtures.folder("gguf_v2_lite"), let bytePairs = Fixtures.folder("bpe_small") else { return }
        let model = try GGUFModel(path: FileSystem.join(folder, "q8_0.gguf"))
        let tokenizer = try Tokenizer(gguf: model.file)
        let expected = try Tokenizer(path: FileSystem.join(bytePairs, "tokenizer.json"))
        #expect(tokenizer.json == expected.json)
        #expect(tokenizer.bosToken == 0 && tokenizer.eosToken == 1 && tokenizer.padToken == 2 && tokenizer.addsBOS)
        #expect(model.file.chatTemplate == nil)
        let configuration = try ModelConfiguration(model.configuration)
        #expect(
            configuration
                == (try ModelConfiguration(
                    try #require(Fixtures.json(folder, "hf_config.json").objectValue))))
    }

    @Test func configurationOfTheThirdGeneration() throws {
        guard let folder = Fixtures.folder("gguf_v3_kquants") else { return }
        let model = try GGUFModel(path: FileSystem.join(folder, "mixed.gguf"))
        let expected = try #require(Fixtures.json(folder, "hf_config.json").objectValue)
        #expect(try ModelConfiguration(model.configuration) == ModelConfiguration(expected))
    }

    /// Faults of the metadata that the container allows: named by the configuration or the tokenizer.
    @Test(arguments: [
        "block_count_huge", "head_count_0", "experts_used_gt", "eps_nan", "no_tokens", "bos_out_of_range", "merges_bad",
    ])
    func malformedMetadata(name: String) throws {
        guard let folder = Fixtures.folder("malformed") else { return }
        #expect(throws: InputError.self) {
            let model = try GGUFModel(path: FileSystem.join(folder, "gguf/\(name).gguf"))
            _ = try ModelConfiguration(model.configuration)
            _ = try Tokenizer(gguf: model.file)
        }
    }
}
