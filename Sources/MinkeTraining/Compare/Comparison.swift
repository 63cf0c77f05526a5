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
        /// Experts without memory and memory without experts, if they were asked for.
        public let parts: [Part]
        /// The loss that both reached: the target, or the worse of the two final losses.
        public let commonLoss: Double
        /// What each had spent when it first reached the common loss; nil where a target was missed.
        public let sparseCost: CostAtLoss?
        public let denseCost: CostAtLoss?
    }

    /// A run with a part of what the sparse model has.
    public struct Part {
        public let name: String
        public let run: RunSummary
        /// What it had spent when it first reached the common loss; nil where it did not.
        public let cost: CostAtLoss?
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
    let sparse: Side
    let dense: Side

    /// What is kept of a run when its weights are gone.
    struct Side {
        let configuration: RunConfiguration
        let options: RunOptions
        let costs: ModelCosts

        func history() throws -> RunHistory {
            RunHistory(metrics: try MetricsLog.read(path: FileSystem.join(options.out, "metrics.jsonl")))
        }
    }

    /// Runs every seed, sparse and dense in turn.
    ///
    /// - Parameters:
    ///   - configuration: the sparse run.
    ///   - twin: the dense run; by default the same with ``ModelConfiguration/denseTwin(intermediateSize:)``.
    ///   - showsParts: also runs the sparse model without its tables, and the twin with them.
    ///   - options: of each run; the runs' folders lie in `options.out`.
    ///   - message: told which run begins.
    /// - Returns: nil when interrupted.
    public static func run(
        _ configuration: RunConfiguration, twin: RunConfiguration? = nil, showsParts: Bool = false, data: TrainingData,
        seeds: [Int], options: RunOptions, message: (String) -> Void
    ) throws -> Comparison? {
        var denseRun = twin ?? configuration
        if twin == nil { denseRun.model = configuration.model.denseTwin() }
        var runs = [(name: "sparse", run: configuration), (name: "dense", run: denseRun)]
        if showsParts { runs += try parts(of: configuration, twin: denseRun) }
        var pairs: [Pair] = []
        var sides: [Side] = []
        for seed in seeds {
            sides = []
            var summaries: [RunSummary] = []
            for (name, run) in runs {
                message("\(name == "dense" ? "dense twin" : "\(name) model"), seed \(seed)")
                let trainer = try trainer(run, name, seed, data, options)
                let summary = try trainer.run()
                if summary.ending == .interrupted { return nil }
                summaries.append(summary)
                sides.append(
                    Side(configuration: trainer.configuration, options: trainer.options, costs: trainer.costs))
            }
            pairs.append(pair(seed, zip(runs.map(\.name), summaries).map { $0 }, target: options.targetLoss))
        }
        guard let first = pairs.first else { throw InputError("no seeds given") }
        return Comparison(
            pairs: pairs, sparseCosts: sides[0].costs, denseCosts: sides[1].costs,
            joulesSource: first.sparse.cost.joulesSource, sparse: sides[0], dense: sides[1])
    }

    /// The runs that tell what experts and what memory bring by themselves.
    private static func parts(
        of sparse: RunConfiguration, twin: RunConfiguration
    ) throws -> [(name: String, run: RunConfiguration)] {
        guard sparse.model.extensions.hasTables, sparse.model.nRoutedExperts > 0 else {
            throw InputError(
                "the model has no two parts to tell apart: experts and tables of n-grams",
                remedy: "choose one that has both, as --preset memory")
        }
        var experts = sparse
        experts.model.extensions = sparse.model.extensions.withoutTables
        var memory = twin
        memory.model.extensions = sparse.model.extensions
        return [(name: "experts-alone", run: experts), (name: "memory-alone", run: memory)]
    }

    private static func trainer(
        _ run: RunConfiguration, _ name: String, _ seed: Int, _ data: TrainingData, _ options: RunOptions
    ) throws -> Trainer {
        var run = run
        run.seed = seed
        // With a decaying rate, a run that passes the common loss before its end would pass it later than it need: a
        // loss means the same at every point of both runs only while the rate stays the same.
        run.schedule.shape = .constant
        var own = options
        own.minimumEvaluations = 20
        own.out = FileSystem.join(options.out, seed == 1 ? name : "\(name)-seed\(seed)")
        return try Trainer(run, data: data, options: own)
    }

    private static func pair(_ seed: Int, _ runs: [(name: String, summary: RunSummary)], target: Double?) -> Pair {
        let (sparse, dense) = (runs[0].summary, runs[1].summary)
        let common = target ?? max(sparse.validationLoss, dense.validationLoss)
        return Pair(
            seed: seed, sparse: sparse, dense: dense,
            parts: runs.dropFirst(2).map {
                Part(name: $0.name, run: $0.summary, cost: CostAtLoss(of: $0.summary, loss: common))
            },
            commonLoss: common, sparseCost: CostAtLoss(of: sparse, loss: common),
            denseCost: CostAtLoss(of: dense, loss: common))
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
