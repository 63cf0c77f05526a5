import MinkeModel
import MinkeTensors

/// A model under training: one call is one optimiser step.
///
/// Owns nothing of data, files or time, so that a benchmark and a run share it.
public final class TrainingSession {
    public let model: LanguageModel
    public let optimizer: Optimizer
    public let configuration: RunConfiguration
    /// Optimiser steps done.
    public internal(set) var step = 0

    /// Input and targets of one pass: sequences of `sequenceLength` tokens, one after the other, as many in every pass
    /// of a step; target −1 where a token has no next one.
    public typealias Batch = (tokens: [Int32], targets: [Int32])

    /// What one step found.
    public struct Outcome {
        /// Mean cross-entropy of the next token before the update, in nats.
        public let loss: Double
        /// Mean cross-entropy of each prediction module.
        public let predictorLosses: [Double]
        /// 2-norm of all gradients before clipping.
        public let gradientNorm: Double
        /// Tokens sent to each expert, by layer.
        public let loads: [Int: [Int]]
        /// Mean entropy of the router's scores, divided by sum, as a share of its largest value, by layer.
        public let entropies: [Int: Double]
        /// False when the loss or the gradients were not finite: the weights are then unchanged.
        public let isApplied: Bool
    }

    public init(_ configuration: RunConfiguration, model: LanguageModel) {
        self.configuration = configuration
        self.model = model
        optimizer = Optimizer(model, settings: configuration.optimizer)
    }

    /// One step over `accumulation` batches.
    ///
    /// - Parameters:
    ///   - total: steps of the whole run, for the schedule.
    ///   - measuresEntropy: whether to compute the routing entropies.
    public func advance(_ batches: [Batch], total: Int, measuresEntropy: Bool = false) -> Outcome {
        let length = configuration.sizes.length(step: step, total: total, full: configuration.sequenceLength)
        let shape = SequenceBatch(sequences: (batches.first?.tokens.count ?? 0) / length, length: length)
        let objective = LanguageModel.Objective(
            predictionWeight: configuration.model.numNextnPredictLayers > 0 ? Float(configuration.predictionWeight) : 0,
            balance: Float(configuration.balanceLoss), scale: 1 / Float(batches.count))
        var loss = 0.0
        var predictorLosses: [Double] = []
        var loads: [Int: [Int]] = [:]
        var entropies: [Int: Double] = [:]
        for (index, batch) in batches.enumerated() {
            let tape = Tape(
                computeType: configuration.precision.elementType, isRecording: true,
                usesCodes: configuration.precision.usesCodes,
                dropout: configuration.dropout > 0
                    ? Dropout(
                        probability: configuration.dropout, seed: UInt64(configuration.seed), step: step, pass: index)
                    : nil)
            let result = model.loss(batch.tokens, targets: batch.targets, batch: shape, objective: objective, tape)
            tape.backward()
            loss += result.mean / Double(batches.count)
            predictorLosses = result.predictors.enumerated().map {
                $1 / Double(batches.count) + (index == 0 ? 0 : predictorLosses[$0])
            }
            for (layer, routing) in result.routings {
                let load = routing.loads
                loads[layer] = loads[layer].map { zip($0, load).map(+) } ?? load
                if measuresEntropy && index == 0 { entropies[layer] = routing.scoreEntropy }
            }
        }
        let norm = optimizer.gradientNorm()
        let isApplied = loss.isFinite && norm.isFinite
        if isApplied {
            let clip = configuration.gradientClip
            step += 1
            optimizer.update(
                step: step, rateFactor: configuration.schedule.factor(step: step - 1, total: total),
                gradientScale: clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1)
            model.updateCorrectionBiases(loads: loads, rate: Float(configuration.biasUpdateRate))
        } else {
            step += 1
            optimizer.discardGradients()
        }
        return Outcome(
            loss: loss, predictorLosses: predictorLosses, gradientNorm: norm, loads: loads, entropies: entropies,
            isApplied: isApplied)
    }
}
