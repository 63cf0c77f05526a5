import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// Gradients against PyTorch's.
@Suite(.serialized) struct TrainingParityTests {
    @Test func firstStepGradients() throws {
        guard let folder = Fixtures.folder("train_adamw") else { return }
        let model = try Fixtures.model(folder)
        let batches = try Fixtures.file(folder, "batches").ids("batches")
        let expected = try Fixtures.file(folder, "grads_step1")
        let losses = try #require(Fixtures.json(folder, "expected.json")["loss"]?.arrayValue)
        let (tokens, targets) = Self.batch(batches, 0)
        let tape = Tape(isRecording: true)
        let loss = model.loss(tokens, targets: targets, batch: SequenceBatch(sequences: 3, length: 19), tape)
        tape.backward()
        #expect(abs(loss.mean - (losses[0].doubleValue ?? 0)) <= 2.4e-5)
        for name in expected.names {
            let weight = try #require(model.weights.first { $0.name == name })
            let gradient = weight.gradient?.values ?? [Float](repeating: 0, count: weight.count)
            let difference = largestDifference(gradient, try expected.values(name))
            #expect(difference <= 4.7e-6, "\(name): \(difference)")
        }
    }

    /// Inputs and targets of one step: 3 rows of 20 tokens.
    static func batch(_ batches: [Int32], _ step: Int) -> (tokens: [Int32], targets: [Int32]) {
        let rows = (0..<3).map { batches[(step * 3 + $0) * 20..<(step * 3 + $0 + 1) * 20] }
        return (rows.flatMap { $0.dropLast() }, rows.flatMap { $0.dropFirst() })
    }
}
