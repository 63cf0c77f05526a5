import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

import MinkeTraining

/// Whole training runs against PyTorch's, and against themselves with other numbers of threads.
@Suite(.serialized) struct ParityTests {
    /// The settings of the reference: AdamW at a constant rate on every tensor, in float32.
    private static func configuration(_ model: ModelConfiguration) -> RunConfiguration {
        var configuration = RunConfiguration(model: model)
        configuration.batchSize = ParityFixture.rows
        configuration.sequenceLength = ParityFixture.length
        configuration.precision = .float32
        configuration.optimizer.usesMuon = false
        configuration.optimizer.rate = 0.003
        configuration.optimizer.decay = 0.1
        configuration.schedule.shape = .constant
        configuration.gradientClip = 1
        configuration.biasUpdateRate = 0
        return configuration
    }

    @Test func twentyStepsOfAdamW() throws {
        guard let fixture = try ParityFixture() else { return }
        let model = try fixture.model()
        let session = TrainingSession(Self.configuration(model.configuration), model: model)
        let losses = try fixture.numbers("loss", in: "expected")
        let norms = try fixture.numbers("grad_norm_before_clip", in: "expected")
        for step in 0..<20 {
            let outcome = session.advance([fixture.batch(step)], total: 20)
            #expect(outcome.isApplied)
            #expect(abs(outcome.loss - losses[step]) <= 2.4e-5, "loss of step \(step + 1)")
            #expect(abs(outcome.gradientNorm - norms[step]) <= 1e-4 * norms[step], "norm of step \(step + 1)")
        }
        let expected = try fixture.tensors("weights_step20")
        #expect(expected.names.count == model.weights.count { $0.parameter.isTrainable })
        for name in expected.names {
            let weight = try #require(model.weights.first { $0.name == name })
            let difference = try largestDifference(weight.value.values, expected.floats(name))
            #expect(difference <= 9.1e-5, "\(name): \(difference)")
        }
    }

    @Test func tenStepsOfBalancing() throws {
        guard let fixture = try ParityFixture() else { return }
        let model = try fixture.model()
        var configuration = Self.configuration(model.configuration)
        configuration.biasUpdateRate = 0.01
        let session = TrainingSession(configuration, model: model)
        let losses = try fixture.numbers("loss", in: "bias_run")
        let expected = try fixture.tensors("bias_run")
        for step in 0..<10 {
            let outcome = session.advance([fixture.batch(step)], total: 10)
            #expect(abs(outcome.loss - losses[step]) <= 2e-5, "loss of step \(step + 1)")
            for layer in model.sparseLayers {
                let load = try #require(outcome.loads[layer]).map { Int32($0) }
                let all = try expected.int32s("load.model.layers.\(layer).mlp.gate.topk_indices")
                #expect(load == Array(all[step * load.count..<(step + 1) * load.count]), "step \(step + 1)")
            }
        }
        for bias in model.weights where bias.role == .correctionBias {
            let difference = try largestDifference(bias.value.values, expected.floats("final.\(bias.name)"))
            #expect(difference <= 1e-6, "\(bias.name): \(difference)")
        }
    }

    /// Rows enough for every operation to be cut into several tasks.
    @Test(arguments: [RunConfiguration.Precision.float32, .bfloat16])
    func numberOfThreadsDoesNotChangeABit(precision: RunConfiguration.Precision) throws {
        let threads = CPU.shared.threadCount
        defer { CPU.shared.threadCount = threads }
        CPU.shared.threadCount = 1
        let alone = try Self.randomRun(precision)
        #expect(alone.losses[3] < alone.losses[0])
        for count in [2, 3] {
            CPU.shared.threadCount = count
            let shared = try Self.randomRun(precision)
            #expect(shared.losses == alone.losses)
            #expect(shared.weights == alone.weights)
        }
    }

    /// Four steps of Muon and AdamW, two passes each, on random tokens, with balancing and a prediction module.
    private static func randomRun(
        _ precision: RunConfiguration.Precision
    ) throws -> (losses: [Double], weights: [String: [UInt32]]) {
        var model = ModelConfiguration(
            family: .deepseekV3, vocabSize: 64, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 48)
        model.kvLoraRank = 16
        model.qkNopeHeadDim = 8
        model.qkRopeHeadDim = 8
        model.vHeadDim = 8
        model.nRoutedExperts = 8
        model.nSharedExperts = 1
        model.numExpertsPerTok = 2
        model.moeIntermediateSize = 16
        model.firstKDenseReplace = 1
        model.numNextnPredictLayers = 1
        var configuration = RunConfiguration(model: model)
        configuration.batchSize = 6
        configuration.sequenceLength = 100
        configuration.precision = precision
        configuration.balanceLoss = 1e-4
        configuration.schedule.shape = .constant
        try configuration.validate()
        let built = try LanguageModel(model, weights: .random(seed: 3, configuration.initialization))
        let session = TrainingSession(configuration, model: built)
        var random = CounterRandom(seed: 3, purpose: "tokens")
        let stream = (0...600).map { _ in Int32(random.integer(below: 12)) }
        let batch = (tokens: Array(stream.dropLast()), targets: Array(stream.dropFirst()))
        let losses = (0..<4).map { _ in session.advance([batch, batch], total: 4).loss }
        let weights = built.weights.map { ($0.name, $0.value.values.map(\.bitPattern)) }
        return (losses, Dictionary(uniqueKeysWithValues: weights))
    }
}
