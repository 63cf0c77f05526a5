/// A training run as its makers, or others about them, report it.
public struct TrainingRun: Sendable {
    public var id: String
    public var model: String
    public var organisation: String
    public var year: Int
    /// 10⁹ parameters.
    public var parametersB: Double?
    public var activeB: Double?
    /// 10¹² tokens.
    public var tokensT: Double?
    /// As written in the source.
    public var reportedFLOPs: String?
    public var hardware: String
    /// 10⁶ device hours.
    public var hoursM: Double?
    /// 10⁶ dollars.
    public var reportedDollarsM: Double?
    public var dollarBasis: String?
    /// As written in the source.
    public var reportedUtilization: String?
    public var energyMWh: Double?
    public var pue: Double?
    public var confidence: Confidence
    public var source: String
    public var notes: String

    public init(
        id: String, model: String, organisation: String, year: Int, parametersB: Double? = nil,
        activeB: Double? = nil, tokensT: Double? = nil, reportedFLOPs: String? = nil, hardware: String = "",
        hoursM: Double? = nil, reportedDollarsM: Double? = nil, dollarBasis: String? = nil,
        reportedUtilization: String? = nil, energyMWh: Double? = nil, pue: Double? = nil, confidence: Confidence,
        source: String, notes: String = ""
    ) {
        self.id = id
        self.model = model
        self.organisation = organisation
        self.year = year
        self.parametersB = parametersB
        self.activeB = activeB
        self.tokensT = tokensT
        self.reportedFLOPs = reportedFLOPs
        self.hardware = hardware
        self.hoursM = hoursM
        self.reportedDollarsM = reportedDollarsM
        self.dollarBasis = dollarBasis
        self.reportedUtilization = reportedUtilization
        self.energyMWh = energyMWh
        self.pue = pue
        self.confidence = confidence
        self.source = source
        self.notes = notes
    }

    /// 6 × active parameters × tokens: what training takes without attention.
    public var operations: Double? {
        guard let activeB, let tokensT else { return nil }
        return 6 * activeB * 1e9 * tokensT * 1e12
    }

    /// The share of `chip`'s bfloat16 peak that ``operations`` in the reported hours come to. Failures, restarts and
    /// evaluation are inside the hours, so that it lies below a reported steady state.
    public func impliedUtilization(on chip: Chip) -> Double? {
        guard let operations, let hoursM, let peak = try? chip.peak(.bf16).operations else { return nil }
        return operations / (hoursM * 1e6 * 3600 * peak)
    }
}
