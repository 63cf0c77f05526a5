import MinkeFiles

/// What training a model costs: arithmetic, hours, money, energy, memory and safety copies.
///
/// hours = FLOP per token × tokens / (utilisation × peak × 3600 × goodput)
public struct TrainingPlan: Sendable {
    public var shape: ModelShape
    public var tokens: Double
    public var chip: Chip
    /// Devices.
    public var count = 1.0
    public var precision = Chip.Precision.bf16
    /// Share of the peak of ``precision``; the default is what published runs' paid hours come to.
    public var utilization: Double
    public var utilizationSource: String
    /// Tokens of one sequence.
    public var sequence = 4096.0
    public var counting = AttentionCount.causal
    /// Whether prediction modules are counted.
    public var predicts = false
    /// Whether activations are computed again in the backward pass, which adds a forward pass.
    public var recomputes = false
    /// Productive time over paid time, of a utilisation that does not contain it.
    public var goodput = 1.0
    /// Dollars an hour and device; nil: not known.
    public var price: Double?
    public var priceSource = "--price"
    public var energy = EnergyModel()
    public var reliability = ReliabilityModel()

    /// - Throws: ``InputError`` where the chip cannot compute in the precision.
    public init(_ shape: ModelShape, tokens: Double, chip: Chip, precision: Chip.Precision = .bf16) throws {
        self.shape = shape
        self.tokens = tokens
        self.chip = chip
        self.precision = precision
        price = chip.rent?.typical
        if let rent = chip.rent { priceSource = "typical of \(rent.date): \(rent.source)" }
        (utilization, utilizationSource) = Self.publishedUtilization(sparse: shape.experts != nil, precision)
        _ = try chip.peak(precision)
        // Chips with little achievable arithmetic cannot do what others did.
        if let ceiling = chip.achievable, utilization > 0.8 * ceiling {
            utilization = 0.8 * ceiling
            utilizationSource = "0.8 of the \(ceiling) that \(chip.name) reaches in matrix products"
        }
    }

    /// What the paid hours of published runs come to, attention included.
    static func publishedUtilization(sparse: Bool, _ precision: Chip.Precision) -> (Double, String) {
        let share = sparse ? 0.39 : 0.36
        let source =
            sparse
            ? "DeepSeek-V3's paid hours in fp8, causal attention counted (arXiv 2505.09343: 0.3894 of the bf16 peak; V2 had about 0.2)"
            : "Llama 3.1 405B's paid hours, causal attention counted"
        return precision == .bf16
            ? (share, source) : (share / 2, "half the bf16 share, as DeepSeek-V3's fp8 training: \(source)")
    }

    /// - Throws: ``InputError`` naming the figure that cannot be.
    public func validate() throws {
        guard tokens > 0, tokens < 1e18 else { throw InputError("--tokens must be above zero", remedy: "write 14.8T") }
        guard count >= 1, count <= 1e7, count == count.rounded() else {
            throw InputError("--count must be a whole number from 1 to 10,000,000")
        }
        guard sequence >= 1, sequence <= 1e9 else { throw InputError("--sequence must be 1 to 1,000,000,000") }
        guard goodput > 0, goodput <= 1 else { throw InputError("--goodput must be above 0 and at most 1") }
        guard utilization > 0 else { throw InputError("--mfu must be above zero") }
        let ceiling = chip.achievable ?? 1
        guard utilization <= ceiling else {
            let limit = chip.achievable.map { "the best measured matrix product reaches \($0) of \(chip.name)'s peak" }
            throw InputError(
                "an MFU of \(utilization) cannot be: \(limit ?? "it is more than the peak")",
                remedy: "published runs come to 0.2 to 0.45")
        }
        if let price, !(price >= 0 && price < 1e6) {
            throw InputError("--price must be 0 to 1,000,000 dollars an hour")
        }
        try energy.validate()
        try reliability.validate()
    }
}

extension TrainingPlan {
    /// Multiplications and additions for one token, forward and backward.
    public var operationsPerToken: Double {
        (recomputes ? 4 : 3)
            * shape.forwardOperations(length: sequence, counting: counting, predicting: predicts)
    }

    public var operations: Double { operationsPerToken * tokens }

    /// Operations a second that one device does in the run.
    public var achievedPerDevice: Double { utilization * ((try? chip.peak(precision).operations) ?? .nan) }

    /// Device hours at the utilisation.
    public var productiveHours: Double { operations / (achievedPerDevice * 3600) }

    /// Device hours to pay.
    public var hours: Double { productiveHours / goodput }

    public var days: Double { hours / count / 24 }

    /// Rent; nil where no price is known.
    public var dollars: Double? { price.map { hours * $0 } }

    /// The device hours in which this many tokens are read.
    public func hours(perTokens count: Double) -> Double { hours / tokens * count }

    /// nil where the chip's power is not known.
    public var kilowattHours: Double? { chip.tdpWatts.map { energy.kilowattHours(hours: hours, tdpWatts: $0) } }

    /// Bytes of a checkpoint with the optimiser's state.
    public var checkpointBytes: Double { reliability.checkpointBytesPerParameter * shape.totalParameters }

    /// How often to save, and what failures cost.
    public var safety: ReliabilityModel.Outcome {
        reliability.outcome(checkpointBytes: checkpointBytes, devices: count)
    }
}
