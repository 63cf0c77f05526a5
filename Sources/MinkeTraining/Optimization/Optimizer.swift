import MinkeModel
import MinkeTensors

/// Updates a model's parameters from their gradients: Muon for the matrices of the body, AdamW for everything else; or
/// AdamW for all.
public final class Optimizer {
    /// What an update needs besides the gradients.
    public struct Settings: Equatable, Sendable {
        /// Matrices of the body are updated by Muon.
        public var usesMuon = true
        /// Peak learning rate of AdamW.
        public var rate: Double = 3e-3
        /// Peak learning rate of Muon.
        public var muonRate: Double = 2e-2
        public var beta1: Double = 0.9
        public var beta2: Double = 0.95
        public var epsilon: Double = 1e-8
        public var momentum: Double = 0.95
        /// Decoupled decay of matrices, embedding and head.
        public var decay: Double = 0.1

        public init() {}
    }

    private let settings: Settings
    private let model: LanguageModel
    private let adamParameters: [(parameter: Parameter, mean: Tensor, square: Tensor, decays: Bool)]
    private let muonMatrices: [(weight: NamedWeight, momentum: Tensor)]

    public init(_ model: LanguageModel, settings: Settings) {
        self.model = model
        self.settings = settings
        var adam: [(parameter: Parameter, mean: Tensor, square: Tensor, decays: Bool)] = []
        var muon: [(weight: NamedWeight, momentum: Tensor)] = []
        var seen = Set<ObjectIdentifier>()
        for weight in model.weights where weight.parameter.isTrainable {
            let isMatrix = weight.role == .matrix || weight.role == .outputMatrix
            if settings.usesMuon && isMatrix {
                muon.append((weight, Tensor(zeros: weight.rows.count, weight.parameter.columns)))
            } else if seen.insert(ObjectIdentifier(weight.parameter)).inserted {
                let value = weight.parameter.value
                let decays = weight.role != .norm && weight.role != .bias
                adam.append(
                    (
                        weight.parameter, Tensor(zeros: value.rows, value.columns),
                        Tensor(zeros: value.rows, value.columns),
                        decays
                    ))
            }
        }
        adamParameters = adam
        muonMatrices = muon
    }

    /// The 2-norm of all gradients together.
    public func gradientNorm() -> Double {
        model.parameters.filter(\.isTrainable).reduce(0.0) { $0 + ($1.gradient?.sumOfSquares ?? 0) }.squareRoot()
    }

    /// One update of every parameter; gradients are forgotten.
    ///
    /// - Parameters:
    ///   - step: number of the update, from 1.
    ///   - rateFactor: factor on the peak rates (the schedule).
    ///   - gradientScale: factor on the gradients (clipping).
    public func update(step: Int, rateFactor: Double, gradientScale: Double) {
        for (parameter, mean, square, decays) in adamParameters {
            let adam = AdamW(
                rate: Float(settings.rate * rateFactor), beta1: Float(settings.beta1), beta2: Float(settings.beta2),
                epsilon: Float(settings.epsilon), decay: decays ? Float(settings.decay) : 0)
            adam.update(
                parameter.value, gradient: parameter.gradientOrZero(), mean: mean, square: square, step: step,
                gradientScale: Float(gradientScale))
        }
        for (weight, _) in muonMatrices { weight.parameter.gradientOrZero() }
        Muon(
            rate: Float(settings.muonRate * rateFactor), momentum: Float(settings.momentum),
            decay: Float(settings.decay)
        ).update(
            muonMatrices.compactMap { weight, momentum in
                weight.gradient.map { .init(value: weight.value, gradient: $0, momentum: momentum) }
            }, gradientScale: Float(gradientScale))
        for parameter in model.parameters where parameter.isTrainable {
            parameter.didChange()
            parameter.clearGradient()
        }
    }

    /// Forgets the gradients without an update.
    public func discardGradients() { model.parameters.forEach { $0.clearGradient() } }

    /// Tensors that a resumed run needs, by name.
    public var state: [(name: String, tensor: Tensor)] {
        adamParameters.flatMap { entry in
            [("mean.\(entry.parameter.name)", entry.mean), ("square.\(entry.parameter.name)", entry.square)]
        } + muonMatrices.map { ("momentum.\($0.weight.name)", $0.momentum) }
    }
}
