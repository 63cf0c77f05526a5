import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTensors
import MinkeTokenization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite struct EvaluationTests {
    let text = "the quick brown fox jumps over the lazy dog, twice"

    /// The same by one pass for each token.
    func reference(_ model: TextModel, _ ids: [Int32], context: Int) throws -> Double {
        var total = 0.0
        for target in 1..<ids.count {
            let start = (target - 1) / context * context
            try model.withModel { model in
                let logits = model.next(Array(ids[start..<target]), cache: model.makeCache(capacity: context))
                let largest = try #require(logits.max())
                let sum = logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
                total += log(sum) + Double(largest - logits[Int(ids[target])])
            }
        }
        return total
    }

    @Test(arguments: [7, 50, 128]) func lossEqualsTokenByToken(context: Int) throws {
        let model = try Fixtures.randomModel()
        let evaluator = try Evaluator(model, contextLength: context)
        try evaluator.add(text)
        let evaluation = try evaluator.finish()
        // The byte tokenizer asks for a beginning token: every byte is predicted.
        let ids = try model.encode(text)
        #expect(evaluation.tokens == text.utf8.count)
        #expect(evaluation.bytes == text.utf8.count)
        #expect(abs(evaluation.totalLoss - (try reference(model, ids, context: context))) < 1e-2)
        #expect(abs(evaluation.perplexity - exp(evaluation.loss)) < 1e-9)
        #expect(abs(evaluation.bitsPerByte - evaluation.loss / log(2)) < 1e-9)
    }

    @Test func longWindowsRunInParts() throws {
        let model = try Fixtures.randomModel(context: 6000)
        let text = String(repeating: text, count: 90)
        let evaluator = try Evaluator(model, contextLength: 6000)
        try evaluator.add(text)
        let ids = try model.encode(text)
        let whole = model.withModel { model in
            model.loss(
                Array(ids.dropLast()), targets: Array(ids.dropFirst()),
                batch: SequenceBatch(sequences: 1, length: ids.count - 1), Tape()
            ).mean
        }
        #expect(abs(try evaluator.finish().loss - whole) < 1e-3)
    }

    @Test func textsAreIndependent() throws {
        let model = try Fixtures.randomModel()
        let both = try Evaluator(model, contextLength: 16)
        var sum = 0.0
        for part in [text, "another text", ""] {
            try both.add(part)
            if part.isEmpty { continue }
            let one = try Evaluator(model, contextLength: 16)
            try one.add(part)
            sum += try one.finish().totalLoss
        }
        #expect(abs(try both.finish().totalLoss - sum) < 1e-3)
    }

    @Test func nothingToEvaluateIsAnError() throws {
        let model = try Fixtures.randomModel()
        #expect(throws: InputError.self) { try Evaluator(model).finish() }
        #expect(throws: InputError.self) { try Evaluator(model, contextLength: 129) }
        #expect(throws: InputError.self) { try Evaluator(model, contextLength: 0) }
        #expect(throws: InputError.self) { try Evaluator(Fixtures.randomModel(tokenizer: nil)) }
    }
}
