import MinkeFiles
import MinkeGeneration
import MinkeModel
import Testing

@Suite(.serialized) struct ModelBenchmarkTests {
    @Test func figuresComeInOrder() throws {
        let model = try Fixtures.randomModel(context: 64)
        var benchmark = ModelBenchmark()
        benchmark.prompts = [8, 100]
        benchmark.depths = [0, 32, 64]
        benchmark.batches = [1, 3]
        benchmark.rounds = 2
        benchmark.steps = 2
        let figures = try benchmark.run(model)
        #expect(
            figures.map(\.work) == [
                .prompt(tokens: 8), .decoding(depth: 0, batch: 1), .decoding(depth: 0, batch: 3),
                .decoding(depth: 32, batch: 1),
            ])
        for figure in figures {
            #expect(figure.speed.slowest > 0 && figure.speed.slowest <= figure.speed.median)
            #expect(figure.speed.median <= figure.speed.fastest)
        }
        // A deeper cache is more to read; sequences share the reading of weights.
        #expect(figures[3].bytesPerToken > figures[1].bytesPerToken)
        #expect(figures[2].bytesPerToken < figures[1].bytesPerToken)
    }

    @Test func whatTheModelCannotHoldIsRefused() throws {
        let configuration = try Fixtures.randomModel(context: 64).configuration
        var benchmark = ModelBenchmark()
        benchmark.prompts = [8]
        benchmark.depths = [0]
        try benchmark.validate(for: configuration)
        benchmark.depths = [60]
        #expect(throws: InputError.self) { try benchmark.validate(for: configuration) }
        benchmark.depths = [0]
        benchmark.prompts = [65]
        #expect(throws: InputError.self) { try benchmark.validate(for: configuration) }
    }
}
