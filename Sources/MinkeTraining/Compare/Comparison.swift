import MinkeFiles
import MinkeModel

/// Trains a sparse model and its dense twin on the same data and asks what each paid for the same validation loss.
///
/// The learning rate stays constant after its warm-up, so that the two curves can be compared at any point.
public struct Comparison {
    /// One pair of runs with the same seed.
    public struct Pair {
        public let seed: Int
        public let sparse: RunSummary
        public let dense: RunSummary
        /// The loss that both reached: the target, or the worse of the two final losses.
        public let commonLoss: Double
        /// What each had spent when it first reached the common loss; nil where a target was missed.
        public let sparseCost: CostAtLoss?
        public let denseCost: CostAtLoss?
    }

    /// What a run had spent when its validation loss first reached a value, interpolated between evaluations.
    public struct CostAtLoss: Sendable {
        public let tokens: Double
        public let flops: Double
        public let cpuSeconds: Double
        public let joules: Double
        public let dollars: Double
    }

    public let pairs: [Pair]
    public let sparseCosts: ModelCosts
    public let denseCosts: ModelCosts
    public let joulesSource: String
    let reports: (sparse: Trainer, dense: Trainer)

    /// Runs every seed, sparse and dense in turn.
    ///
    /// - Parameters:
    ///   - configuration: the sparse run; the twin takes its data, schedule and optimiser.
    ///   - twin: the dense model; by default ``ModelConfiguration/denseTwin(intermediateSize:)``.
    ///   - options: of each run; the runs' folders lie in `options.out`.
    ///   - message: told which run begins.
    /// - Returns: nil when interrupted.
    public static func run(
        _ configuration: RunConfiguration, twin: ModelConfiguration? = nil, data: TrainingData, seeds: [Int],
        options: RunOptions, message: (String) -> Void
    ) throws -> Comparison? {
        var pairs: [Pair] = []
        var trainers: (sparse: Trainer, dense: Trainer)?
        for seed in seeds {
            var sparseRun = configuration
            sparseRun.seed = seed
            // With a decaying rate, a run that passes the common loss before its end would pass it later than it need:
            // a loss means the same at every point of both runs only while the rate stays the same.
            sparseRun.schedule.shape = .constant
            var denseRun = sparseRun
            denseRun.model = twin ?? configuration.model.denseTwin()
            message("sparse model, seed \(seed)")
            let sparse = try trainer(sparseRun, "sparse", seed, data, options)
            let sparseSummary = try sparse.run()
            if sparseSummary.ending == .interrupted { return nil }
            message("dense twin, seed \(seed)")
            let dense = try trainer(denseRun, "dense", seed, data, options)
            let denseSummary = try dense.run()
            if denseSummary.ending == .interrupted { return nil }
            trainers = (sparse, dense)
            pairs.append(pair(seed, sparseSummary, denseSummary, target: options.targetLoss))
        }
        guard let trainers else { throw InputError("no seeds given") }
        return Comparison(
            pairs: pairs, sparseCosts: trainers.sparse.costs, denseCosts: trainers.dense.costs,
            joulesSource: pairs[0].sparse.cost.joulesSource, reports: trainers)
    }

    private static func trainer(
        _ run: RunConfiguration, _ name: String, _ seed: Int, _ data: TrainingData, _ options: RunOptions
    ) throws -> Trainer {
        var own = options
        own.minimumEvaluations = 20
        own.out = FileSystem.join(options.out, seed == 1 ? name : "\(name)-seed\(seed)")
        return try Trainer(run, data: data, options: own)
    }

    private static func pair(_ seed: Int, _ sparse: RunSummary, _ dense: RunSummary, target: Double?) -> Pair {
        let common = target ?? max(sparse.validationLoss, dense.validationLoss)
        return Pair(
            seed: seed, sparse: sparse, dense: dense, commonLoss: common,
            sparseCost: CostAtLoss(of: sparse, loss: common), denseCost: CostAtLoss(of: dense, loss: common))
    }
}

extension Comparison.CostAtLoss {
    /// Energy and money are shared out by CPU time.
    init?(of run: RunSummary, loss: Double) {
        let points = run.curve.points.filter { $0.validationLoss != nil }
        guard let index = points.firstIndex(where: { ($0.validationLoss ?? .infinity) <= loss }) else { return nil }
        let here = points[index]
        var share = 1.0
        var before: RunCurve.Point?
        if index > 0, let above = points[index - 1].validationLoss, let below = here.validationLoss, above > below {
            before = points[index - 1]
            share = (above - loss) / (above - below)
        }
        func between(_ value: (RunCurve.Point) -> Double) -> Double {
            let from = before.map(value) ?? value(here)
            return from + (value(here) - from) * share
        }
        tokens = between { Double($0.tokens) }
        flops = between(\.flops)
        cpuSeconds = between(\.cpuSeconds)
        let part = cpuSeconds / max(1e-9, run.cost.cpuSeconds + run.cost.evaluationCPUSeconds)
        joules = run.cost.joules * part
        dollars = run.cost.dollars * cpuSeconds / max(1e-9, run.cost.cpuSeconds)
    }
}
