/// What a training run, or several side by side, came to: the contents of a report.
///
/// ``html()`` renders it as one self-contained page. Sections without content are left out, and numbers that are not
/// finite are not drawn.
public struct RunReport: Sendable {
    public var title: String
    public var subtitle: String
    /// The numbers at the top. Where there are none, they are taken from the ends of the runs.
    public var figures: [Figure]
    public var runs: [RunCurve]
    public var comparison: Comparison?
    public var expertLoad: [ExpertLoad]
    public var routingEntropy: [RoutingEntropy]
    public var costs: CostTable?
    public var configuration: [(key: String, value: String)]
    /// Texts that the model wrote, and at which step.
    public var samples: [(step: Int, text: String)]
    /// The command that makes the same run again.
    public var command: String
    /// What a reader should know, one paragraph each.
    public var notes: [String]
    /// Whether the token axis is logarithmic.
    public var hasLogarithmicTokens: Bool

    public init(
        title: String, subtitle: String = "", figures: [Figure] = [], runs: [RunCurve] = [],
        comparison: Comparison? = nil, expertLoad: [ExpertLoad] = [], routingEntropy: [RoutingEntropy] = [],
        costs: CostTable? = nil, configuration: [(key: String, value: String)] = [],
        samples: [(step: Int, text: String)] = [], command: String = "", notes: [String] = [],
        hasLogarithmicTokens: Bool = false
    ) {
        self.title = title
        self.subtitle = subtitle
        self.figures = figures
        self.runs = runs
        self.comparison = comparison
        self.expertLoad = expertLoad
        self.routingEntropy = routingEntropy
        self.costs = costs
        self.configuration = configuration
        self.samples = samples
        self.command = command
        self.notes = notes
        self.hasLogarithmicTokens = hasLogarithmicTokens
    }
}

extension RunReport {
    /// One number that stands out.
    public struct Figure: Equatable, Sendable {
        public var label: String
        public var value: String
        public var note: String

        public init(_ label: String, _ value: String, note: String = "") {
            self.label = label
            self.value = value
            self.note = note
        }
    }

    /// A dense and a sparse model trained to the same quality, and what the sparse one saved.
    public struct Comparison: Equatable, Sendable {
        public struct Row: Equatable, Sendable {
            public var metric: String
            public var dense: String
            public var sparse: String
            public var saved: String

            public init(metric: String, dense: String, sparse: String, saved: String) {
                self.metric = metric
                self.dense = dense
                self.sparse = sparse
                self.saved = saved
            }
        }

        public var rows: [Row]
        /// How the comparison was made: seeds, spread, target.
        public var note: String

        public init(rows: [Row], note: String = "") {
            self.rows = rows
            self.note = note
        }
    }

    /// The loads of one layer's experts over a run.
    public struct ExpertLoad: Equatable, Sendable {
        public var layer: Int
        /// The step of each row.
        public var steps: [Int]
        /// Steps × experts: the share of the routed tokens that each expert got.
        public var fractions: [[Double]]

        public init(layer: Int, steps: [Int], fractions: [[Double]]) {
            self.layer = layer
            self.steps = steps
            self.fractions = fractions
        }
    }

    /// How evenly one layer's router spreads the tokens, over a run.
    public struct RoutingEntropy: Equatable, Sendable {
        public var layer: Int
        public var steps: [Int]
        /// Entropy of the experts' loads as a share of the highest possible: 1 when all experts are used equally.
        public var values: [Double]

        public init(layer: Int, steps: [Int], values: [Double]) {
            self.layer = layer
            self.steps = steps
            self.values = values
        }
    }
}

/// How one run went: its points in the order of steps.
public struct RunCurve: Equatable, Sendable {
    /// The run at one step. Amounts count from the start of the run.
    public struct Point: Equatable, Sendable {
        public var step: Int
        public var tokens: Int
        /// CPU time of training, in seconds.
        public var cpuSeconds: Double
        /// Model FLOPs.
        public var flops: Double
        /// Training loss in nats per token.
        public var trainLoss: Double?
        /// Validation loss in nats per token, at the steps where it was measured.
        public var validationLoss: Double?
        /// Validation loss in bits per byte of text.
        public var bitsPerByte: Double?
        public var tokensPerSecond: Double?

        public init(
            step: Int, tokens: Int, cpuSeconds: Double, flops: Double, trainLoss: Double? = nil,
            validationLoss: Double? = nil, bitsPerByte: Double? = nil, tokensPerSecond: Double? = nil
        ) {
            self.step = step
            self.tokens = tokens
            self.cpuSeconds = cpuSeconds
            self.flops = flops
            self.trainLoss = trainLoss
            self.validationLoss = validationLoss
            self.bitsPerByte = bitsPerByte
            self.tokensPerSecond = tokensPerSecond
        }
    }

    public var name: String
    public var points: [Point]

    public init(name: String, points: [Point]) {
        self.name = name
        self.points = points
    }

    /// The last finite value of a quantity.
    func last(_ quantity: (Point) -> Double?) -> Double? {
        points.lazy.reversed().compactMap(quantity).first { $0.isFinite }
    }
}
