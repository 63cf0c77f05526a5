import MinkeFiles

/// What a dense and a sparse model cost that reach the same loss.
public struct Comparison: Sendable {
    /// The run whose loss is to be reached.
    public var dense: TrainingPlan
    /// Its model and chip; how many tokens it needs follows.
    public var sparse: TrainingPlan
    public var law = ScalingLaw.epoch
    public var anchor = SparseAnchor()
    /// How many such models are trained, and what around them; nil: one.
    public var scenario: Scenario?

    public init(dense: TrainingPlan, sparse: TrainingPlan) {
        self.dense = dense
        self.sparse = sparse
    }

    /// The sparse run at one strength of the anchor.
    public struct Outcome: Sendable {
        public let exponent: Double
        public let denseEquivalent: Double
        /// The run with as many tokens as the loss takes; nil where no number of tokens reaches it.
        public let plan: TrainingPlan?
        /// Its hours over the dense run's.
        public let hoursRatio: Double?
        public let dollarsRatio: Double?
        /// Loss on the dense run's tokens.
        public let lossOnSameTokens: Double
    }

    public var targetLoss: Double {
        law.loss(
            parameters: anchor.denseEquivalent(dense.shape, exponent: anchor.middle), tokens: dense.tokens)
    }

    public func outcome(exponent: Double) -> Outcome {
        let equivalent = anchor.denseEquivalent(sparse.shape, exponent: exponent)
        let plan = law.tokens(parameters: equivalent, loss: targetLoss).map { tokens in
            var plan = sparse
            plan.tokens = tokens
            return plan
        }
        let dollars = dense.dollars.flatMap { dense in plan?.dollars.map { $0 / dense } }
        return Outcome(
            exponent: exponent, denseEquivalent: equivalent, plan: plan,
            hoursRatio: plan.map { $0.hours / dense.hours },
            dollarsRatio: dollars,
            lossOnSameTokens: law.loss(parameters: equivalent, tokens: dense.tokens))
    }

    /// The weakest, the stated, the strongest.
    public var outcomes: [Outcome] { [anchor.low, anchor.middle, anchor.high].map { outcome(exponent: $0) } }
}

/// How many models are trained in a year, by how many, and what comes with each: every key of the file is optional.
public struct Scenario: Sendable {
    public var name = "scenario"
    /// Final runs a year of one organisation.
    public var modelsPerYear = 1.0
    public var organisations = 1.0
    /// All hours over those of the final runs.
    public var development = 1 / (1 - 0.822)
    /// Share of the year that devices are at work.
    public var occupancy = 0.8
    /// Kilograms of CO₂ per kilowatt-hour.
    public var gridKilograms = 0.4
    /// What the file says of the runs themselves: `tokens`, `chip`, `mfu`, `price`, `count`, `sequence`.
    public var run = JSON.Object()
    /// The keys that the file has.
    public private(set) var given: Set<String> = []

    public init() {}

    /// A scenario as a file: `name`, `models_per_year`, `organisations`, `development`, `occupancy`,
    /// `grid_kg_per_kwh`, and the keys of a run, which hold for both models.
    ///
    /// - Throws: ``InputError`` naming the key that is wrong.
    public init(path: String) throws {
        guard let object = try JSON.file(path).objectValue else { throw InputError("is not a JSON object", at: path) }
        let own = ["name", "models_per_year", "organisations", "development", "occupancy", "grid_kg_per_kwh"]
        let ofRuns = ["tokens", "chip", "mfu", "price", "count", "sequence", "precision", "goodput"]
        for (key, value) in object where !own.contains(key) {
            guard ofRuns.contains(key) else {
                throw InputError(
                    "the key \"\(key.prefix(40))\" is not known", at: path,
                    remedy: "known: \((own + ofRuns).joined(separator: ", "))")
            }
            run[key] = value
        }
        given = Set(object.keys)
        name = object["name"]?.stringValue ?? FileSystem.name(of: path)
        modelsPerYear = try object.positive("models_per_year", at: path) ?? modelsPerYear
        organisations = try object.positive("organisations", at: path) ?? organisations
        development = try object.positive("development", at: path) ?? development
        occupancy = try object.positive("occupancy", at: path) ?? occupancy
        gridKilograms = try object.positive("grid_kg_per_kwh", at: path) ?? gridKilograms
        guard development >= 1 else {
            throw InputError("\"development\" is below 1", at: path, remedy: "1 counts the final runs alone")
        }
        guard occupancy <= 1 else { throw InputError("\"occupancy\" is above 1", at: path) }
    }

    /// What a year comes to.
    public struct Year: Sendable {
        public let hours: Double
        public let dollars: Double?
        public let kilowattHours: Double?
        public let tonnesCO2: Double?
        /// Devices that are needed all year.
        public let devices: Double
    }

    public func year(of plan: TrainingPlan) -> Year {
        let factor = modelsPerYear * organisations * development
        let energy = plan.kilowattHours.map { $0 * factor }
        return Year(
            hours: plan.hours * factor, dollars: plan.dollars.map { $0 * factor }, kilowattHours: energy,
            tonnesCO2: energy.map { $0 * gridKilograms / 1000 }, devices: plan.hours * factor / (8760 * occupancy))
    }
}
