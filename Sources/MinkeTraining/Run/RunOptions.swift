/// How a run is carried out, apart from what it computes.
public struct RunOptions {
    /// The folder of the run: model, checkpoints, metrics, report.
    public var out: String
    /// Starts anew over an existing run.
    public var isFresh = false
    /// Insists on continuing an existing run.
    public var mustResume = false
    /// Continues although settings differ from the checkpoint's.
    public var overridesDifferences = false
    /// Training time after which the run ends; the schedule is fitted to it.
    public var maximumSeconds: Double?
    /// Most steps, where a time budget might allow more.
    public var maximumSteps: Int?
    /// What to say to somebody who interrupted the run.
    public var continuation = "the same command again goes on from there"
    /// Validation loss, in nats per token, at which the run ends.
    public var targetLoss: Double?
    public var isQuiet = false
    public var price = Price.standard
    /// Writes `report.html` and the model folder at the end.
    public var writesModel = true
    /// At least this many evaluations over the run, whatever its evaluation interval.
    public var minimumEvaluations = 0
    /// Stops after this step, saved, as an interruption would.
    public var pausesAfterStep: Int?
    /// Catches Ctrl-C.
    public var trapsInterrupts = true
    /// The command, for the report.
    public var command = ""

    public init(out: String) { self.out = out }
}

/// What a run came to.
public struct RunSummary {
    public enum Ending: String, Sendable {
        /// All steps are done, or the budget is spent.
        case complete
        case targetReached = "target_reached"
        case interrupted
    }

    public let name: String
    public let ending: Ending
    public let steps: Int
    /// Nats per token on the validation windows.
    public let validationLoss: Double
    public let bitsPerByte: Double
    public let cost: Cost
    /// Tokens a second of the training loop.
    public let tokensPerSecond: Double
    public let parametersTotal: Int
    public let parametersActive: Int
    public let out: String
    /// Cost and validation loss at every evaluation.
    public let curve: RunCurve
}
