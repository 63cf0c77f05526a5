import MinkeFiles
import MinkeTensors
import MinkeTokenization
import Testing

@testable import MinkeGeneration

@Suite(.serialized) struct TextGeneratorTests {
    @Test(arguments: [
        "a_v2_lite", "b_v2_group", "c_v3_f32", "d_v3_bf16", "f_v3_mtp", "i_glm4_moe_lite", "j_moonlight",
        "k_v3_options",
    ]) func greedyGenerationEqualsTheReference(name: String) throws {
        guard let folder = Fixtures.folder(name) else { return }
        let model = try TextModel(contentsOf: folder)
        let reference = try Fixtures.json(folder, "generation.json")
        let prompt = try #require(reference["prompt_ids"]?.ids)
        let expected = try #require(reference["new_ids"]?.ids)
        let generation = try model.generate(
            ids: prompt, options: GenerationOptions(maximumTokens: expected.count, ignoresStopTokens: true))
        #expect(generation.ids == expected)
        #expect(generation.stopReason == .length)
        #expect(generation.promptTokens == prompt.count)
        guard let text = reference["prompt_text"]?.stringValue, let tokenizer = model.tokenizer else {
            #expect(generation.text == "")
            return
        }
        #expect(try model.encode(text) == prompt)
        #expect(generation.text == tokenizer.decode(expected, skippingSpecialTokens: true))
    }

    @Test func piecesJoinToTheText() throws {
        let model = try Fixtures.randomModel()
        var pieces: [GeneratedPiece] = []
        // Random bytes: many are no valid UTF-8.
        let options = GenerationOptions(
            maximumTokens: 80, sampling: SamplingOptions(temperature: 1.5, seed: 1), ignoresStopTokens: true)
        let generation = try model.generate("héllo", options: options) {
            pieces.append($0)
            return true
        }
        #expect(pieces.map(\.id) == generation.ids)
        #expect(pieces.map(\.text).joined() == generation.text)
        #expect(generation.text == Tokenizer.bytes.decode(generation.ids, skippingSpecialTokens: true))
        #expect(try model.generate("héllo", options: options).ids == generation.ids)
        var other = options
        other.sampling.seed = 2
        #expect(try model.generate("héllo", options: other).ids != generation.ids)
    }

    @Test func stopStringsCutTheText() throws {
        let model = try Fixtures.randomModel()
        var options = GenerationOptions(
            maximumTokens: 60, sampling: SamplingOptions(temperature: 1, seed: 5), ignoresStopTokens: true)
        let whole = try model.generate("abc", options: options).text
        let characters = Array(whole)
        let stop = String(characters[10..<12])
        options.stopStrings = ["never seen in there", stop]
        var shown = ""
        let generation = try model.generate("abc", options: options) {
            shown += $0.text
            return true
        }
        let end = try #require(whole.utf8.firstRange(of: stop.utf8)).lowerBound
        #expect(generation.text == String(whole[..<end]))
        #expect(shown == generation.text)
        #expect(generation.stopReason == .stopString)
    }

    @Test func endTokensStop() throws {
        let base = try Fixtures.randomModel()
        let free = try base.generate(ids: [1, 2, 3], options: GenerationOptions(maximumTokens: 12))
        let end = free.ids[6]
        let model = base.withModel { TextModel($0, tokenizer: nil, stopTokens: [end]) }
        let generation = try model.generate(ids: [1, 2, 3])
        let first = try #require(free.ids.firstIndex(of: end))
        #expect(generation.ids == Array(free.ids[...first]))
        #expect(generation.stopReason == .stopToken)
        #expect(generation.text == "")
    }

    @Test func aChatContinuesLikeAFreshRun() throws {
        let model = try Fixtures.randomModel()
        let generator = TextGenerator(model)
        let options = GenerationOptions(
            maximumTokens: 10, sampling: SamplingOptions(temperature: 0.8, topK: 20, seed: 9), ignoresStopTokens: true)
        var text: [Int32] = [256, 65, 66]
        for turn in 0..<4 {
            let chat = try generator.generate(text, options: options)
            #expect(chat.ids == (try model.generate(ids: text, options: options).ids))
            // All but the newest token came through the cache already, once the cache is large enough.
            if turn == 3 { #expect(chat.reusedTokens > 0) }
            text += chat.ids + [67, 68]
        }
        // A prompt that goes another way drops what no longer fits.
        let other: [Int32] = [256, 65, 70, 71]
        let again = try generator.generate(other, options: options)
        #expect(again.reusedTokens == 2)
        #expect(again.ids == (try model.generate(ids: other, options: options).ids))
        // The same prompt once more runs only its last token.
        #expect(try generator.generate(other, options: options).ids == again.ids)
    }

    @Test func longPromptsRunInParts() throws {
        let model = try Fixtures.randomModel(context: 700)
        let generator = TextGenerator(model, tokensAtOnce: 150)
        let options = GenerationOptions(maximumTokens: 4, ignoresStopTokens: true)
        let prompt = (0..<640).map { Int32($0 * 37 % 256) }
        _ = try generator.generate(Array(prompt[..<20]), options: GenerationOptions(maximumTokens: 660))
        let parts = try generator.generate(prompt, options: options)
        #expect(parts.reusedTokens == 20)
        #expect(parts.ids == (try model.generate(ids: prompt, options: options).ids))
    }

    @Test func theContextIsALimit() throws {
        let model = try Fixtures.randomModel(context: 16)
        let options = GenerationOptions(maximumTokens: 1_000_000_000_000, ignoresStopTokens: true)
        let generation = try model.generate(ids: [1, 2, 3, 4], options: options)
        #expect(generation.ids.count == 12)
        #expect(generation.stopReason == .length)
        #expect(throws: InputError.self) { try model.generate(ids: [Int32](repeating: 1, count: 16)) }
    }

    @Test func badRequestsAreRefused() throws {
        let model = try Fixtures.randomModel()
        #expect(throws: InputError.self) { try model.generate(ids: []) }
        #expect(throws: InputError.self) { try model.generate(ids: [259]) }
        #expect(throws: InputError.self) { try model.generate(ids: [-1]) }
        #expect(throws: InputError.self) { try model.generate(ids: [1], options: GenerationOptions(maximumTokens: -1)) }
        #expect(throws: InputError.self) { try Fixtures.randomModel(tokenizer: nil).generate("text") }
        #expect(try model.generate(ids: [1], options: GenerationOptions(maximumTokens: 0)).ids == [])
    }

    @Test func theCallerCanStop() throws {
        let model = try Fixtures.randomModel()
        var count = 0
        let generation = try model.generate(ids: [1, 2], options: GenerationOptions(ignoresStopTokens: true)) { _ in
            count += 1
            return count < 3
        }
        #expect(generation.ids.count == 3)
        #expect(generation.stopReason == .cancelled)
    }

    @Test func streamsRunSideBySide() async throws {
        let model = try Fixtures.randomModel()
        let options = GenerationOptions(maximumTokens: 12, ignoresStopTokens: true)
        let prompts = ["one", "two", "three"]
        let expected = try prompts.map { try model.generate($0, options: options).ids }
        let streamed = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask {
                    var ids: [Int32] = []
                    for try await piece in try model.stream(prompt, options: options) { ids.append(piece.id) }
                    return (index, ids)
                }
            }
            return try await group.reduce(into: [[Int32]](repeating: [], count: 3)) { $0[$1.0] = $1.1 }
        }
        #expect(streamed == expected)
    }

    @Test func aCancelledStreamEnds() async throws {
        let model = try Fixtures.randomModel()
        let task = Task {
            for try await _ in try model.stream("x", options: GenerationOptions(ignoresStopTokens: true)) {
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
