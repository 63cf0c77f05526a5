import MinkeModel
import MinkeTensors

/// Updates a model's parameters from their gradients: Muon for the matrices of the body, AdamW row by row for tables,
/// AdamW for everything else; or AdamW for all.
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
        /// How AdamW keeps its two moments between steps; those of tables are `float32` always.
        public var moments = Moments.float32
        public var momentum: Double = 0.95
        /// Decoupled decay of matrices, embedding, head and tables.
        public var decay: Double = 0.1
        /// Peak learning rates of parts that AdamW updates; nil: ``rate``.
        public var embeddingRate: Double?
        public var headRate: Double?
        /// Of norms and biases.
        public var scalarRate: Double?
        /// Of n-gram tables and value embeddings.
        public var tableRate: Double?
        /// Newton–Schulz steps of Muon.
        public var muonSteps = 5
        public var muonIteration = Muon.Iteration.quintic
        /// Muon moves a matrix in one step of so many, matrices taking turns; in the others only its momentum takes the
        /// gradient.
        public var muonInterval = 1

        public init() {}

        /// Peak learning rate of AdamW for weights of a role.
        func rate(of role: WeightRole) -> Double {
            switch role {
            case .embedding: embeddingRate ?? rate
            case .head: headRate ?? rate
            case .norm, .bias: scalarRate ?? rate
            case .table: tableRate ?? rate
            case .matrix, .outputMatrix, .router, .correctionBias: rate
            }
        }
    }

    /// The type of AdamW's moments.
    public enum Moments: String, Sendable, CaseIterable {
        case float32 = "f32"
        /// Half the memory, as DeepSeek-V3 was trained.
        case bfloat16 = "bf16"

        var elementType: ElementType { self == .float32 ? .float32 : .bfloat16 }
    }

    /// A parameter that AdamW updates as a whole.
    private struct AdamEntry {
        let parameter: Parameter
        let mean: Tensor
        let square: Tensor
        let decays: Bool
        let role: WeightRole

        init(_ weight: NamedWeight, _ moments: Moments) {
            let value = weight.parameter.value
            parameter = weight.parameter
            mean = Tensor(zeros: value.rows, value.columns, type: moments.elementType)
            square = Tensor(zeros: value.rows, value.columns, type: moments.elementType)
            decays = weight.role != .norm && weight.role != .bias
            role = weight.role
        }
    }

    private let settings: Settings
    private let model: LanguageModel
    private let adamParameters: [AdamEntry]
    private let tables: [RowAdam]
    private let muonMatrices: [(weight: NamedWeight, momentum: Tensor)]

    public init(_ model: LanguageModel, settings: Settings) {
        self.model = model
        self.settings = settings
        var adam: [AdamEntry] = []
        var tables: [RowAdam] = []
        var muon: [(weight: NamedWeight, momentum: Tensor)] = []
        var seen = Set<ObjectIdentifier>()
        for weight in model.weights where weight.parameter.isTrainable {
            let isMatrix = weight.role == .matrix || weight.role == .outputMatrix
            if settings.usesMuon && isMatrix {
                muon.append((weight, Tensor(zeros: weight.rows.count, weight.parameter.columns)))
            } else if seen.insert(ObjectIdentifier(weight.parameter)).inserted {
                if weight.parameter.hasRowGradients {
                    tables.append(RowAdam(weight.parameter, decays: settings.decay > 0))
                } else {
                    adam.append(AdamEntry(weight, settings.moments))
                }
            }
        }
        adamParameters = adam
        self.tables = tables
        muonMatrices = muon
    }

    /// The 2-norm of all gradients together.
    public func gradientNorm() -> Double {
        model.parameters.filter(\.isTrainable).reduce(0.0) {
            $0 + (($1.hasRowGradients ? $1.rowGradient?.values : $1.gradient)?.sumOfSquares ?? 0)
        }.squareRoot()
    }

    /// One update of every parameter; gradients are forgotten.
    ///
    /// - Parameters:
    ///   - step: number of the update, from 1.
    ///   - rateFactor: factor on the peak rates (the schedule).
    ///   - gradientScale: factor on the gradients (clipping).
    public func update(step: Int, rateFactor: Double, gradientScale: Double) {
        for entry in adamParameters {
            adam(entry.role, rateFactor: rateFactor, decays: entry.decays).update(
                entry.parameter.value, gradient: entry.parameter.gradientOrZero(), mean: entry.mean,
                square: entry.square, step: step, gradientScale: Float(gradientScale))
        }
        for table in tables {
            table.update(adam(.table, rateFactor: rateFactor, decays: true), gradientScale: Float(gradientScale))
        }
        for (weight, _) in muonMatrices { weight.parameter.gradientOrZero() }
        Muon(
            rate: Float(settings.muonRate * rateFactor), momentum: Float(settings.momentum),
            decay: Float(settings.decay), steps: settings.muonSteps, iteration: settings.muonIteration
        ).update(
            muonMatrices.compactMap { weight, momentum in
                weight.gradient.map { .init(value: weight.value, gradient: $0, momentum: momentum) }
            }, gradientScale: Float(gradientScale)
        ) { (step + $0) % self.settings.muonInterval == 0 }
        for parameter in model.parameters where parameter.isTrainable {
            parameter.didChange()
            parameter.clearGradient()
        }
    }

    private func adam(_ role: WeightRole, rateFactor: Double, decays: Bool) -> AdamW {
        AdamW(
            rate: Float(settings.rate(of: role) * rateFactor), beta1: Float(settings.beta1),
            beta2: Float(settings.beta2), epsilon: Float(settings.epsilon), decay: decays ? Float(settings.decay) : 0)
    }

    /// Multiplies the rows of tables with the decay that they still owe, so that the weights can be written. A
    /// checkpoint that a run continues from is saved without this.
    public func settleDecay() {
        for table in tables { table.table.rowDecay?.settle(table.table) }
    }

    /// Forgets the gradients without an update.
    public func discardGradients() { model.parameters.forEach { $0.clearGradient() } }

    /// Tensors that a resumed run needs, by name.
    public var state: [(name: String, tensor: Tensor)] {
        adamParameters.flatMap { entry in
            [("mean.\(entry.parameter.name)", entry.mean), ("square.\(entry.parameter.name)", entry.square)]
        } + tables.flatMap(\.state) + muonMatrices.map { ("momentum.\($0.weight.name)", $0.momentum) }
    }
}
