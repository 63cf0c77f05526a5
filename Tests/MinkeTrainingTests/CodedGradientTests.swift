import MinkeModel
import MinkeTraining
import Testing

@testable import MinkeTensors

/// What 8-bit products do to the gradients of a small model with experts.
@Suite struct CodedGradientTests {
    private static func model() throws -> LanguageModel {
        var run = try Preset.quickstart.configuration(depth: 2)
        run.model.vocabSize = 300
        // Zeros would hide the gradients of what comes before them.
        let initialization = Initialization(deviation: 0.05)
        return try LanguageModel(run.model, weights: .random(seed: 3, initialization))
    }

    private static func gradients(_ model: LanguageModel, _ tape: Tape) -> (loss: Double, values: [String: [Float]]) {
        let batch = SequenceBatch(sequences: 4, length: 64)
        let squares: [Int32] = (Int32(0)...256).map { (index: Int32) -> Int32 in (index * index) % 293 }
        let (tokens, targets) = (Array(squares.dropLast()), Array(squares.dropFirst()))
        model.parameters.forEach { $0.clearGradient() }
        let loss = model.loss(tokens, targets: targets, batch: batch, tape)
        tape.backward()
        var values: [String: [Float]] = [:]
        for parameter in model.parameters { values[parameter.name] = parameter.gradient?.values }
        return (loss.mean, values)
    }

    private static func cosine(_ a: [Float], _ b: [Float]) -> Double {
        var (dot, first, second) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            dot += Double(x) * Double(y)
            first += Double(x) * Double(x)
            second += Double(y) * Double(y)
        }
        return dot / (first * second).squareRoot()
    }

    @Test func pointWhereExactOnesDo() throws {
        let model = try Self.model()
        let exact = Self.gradients(model, Tape(isRecording: true))
        let coded = Self.gradients(model, Tape(computeType: .bfloat16, isRecording: true, usesCodes: true))
        #expect(abs(coded.loss / exact.loss - 1) < 0.0025)
        var (all, allCoded): ([Float], [Float]) = ([], [])
        for (name, gradient) in exact.values where gradient.contains(where: { $0 != 0 }) {
            let own = try #require(coded.values[name])
            // Experts and routers are furthest off: a token whose choice was close goes to another expert.
            #expect(Self.cosine(own, gradient) > 0.9, "\(name)")
            all += gradient
            allCoded += own
        }
        #expect(all.count > 100_000)
        let whole = Self.cosine(all, allCoded)
        #expect(whole > 0.97)
    }
}
