import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What serving a model costs, by the roofline: a step takes as long as its bytes or its arithmetic, whichever is more.
///
/// Routed experts are divided over all devices; other weights over ``tensorParallel`` of them and repeated beyond that.
public struct ServingPlan: Sendable {
    public var shape: ModelShape
    public var chip: Chip
    public var count = 1.0
    /// Type of the arithmetic.
    public var precision: Chip.Precision
    /// Bits of a stored weight, scales included.
    public var weightBits: Double
    public var weightSource = "the type of the arithmetic"
    /// Bits of a cached value.
    public var cacheBits = 16.0
    /// Devices that share weights which are not routed experts.
    public var tensorParallel: Double
    /// Tokens in the cache of each user while decoding.
    public var context = Self.fleetContext
    /// Tokens of a request: its prompt, and what is answered.
    public var prompt = Self.fleetRequest.prompt
    public var output = Self.fleetRequest.output
    /// Share of prompts that a cache of prefixes still holds.
    public var cachedShare = Self.fleetRequest.cached
    /// Share of the bandwidth that decoding reaches.
    public var bandwidthShare: Double
    public var bandwidthSource: String
    /// Bytes of stored weights that one device opens and multiplies in a second for a few tokens, where that is slower
    /// than reading them; nil: it is not. Processors have to unpack quantised weights in their ordinary instructions.
    public var weightRate: Double?
    /// Share of the peak that prompts, and large batches, reach.
    public var computeShare: Double
    public var computeSource: String
    /// What a processor was measured to reach, in the place of shares of its limits; nil: ``bandwidthShare``,
    /// ``weightRate`` and ``computeShare`` count.
    public var processor: ProcessorRates?
    /// Share of a measured processor's time that goes to products and attention. The rest is norms, routing, what takes
    /// keys and values apart, and threads that wait for each other: 9 to 13 % in profiles of two models.
    public var productShare = 0.9
    /// The weights of the model's file by type; empty: all have ``weightBits``.
    public var storedParts: [StoredPart] = []
    /// Share of the memory for weights and cache.
    public var memoryShare = 0.9
    /// Bytes a second and device at which stored prefixes come back.
    public var prefixRate = 25e9
    /// Mean share of its throughput that a service is asked for.
    public var load = 1.0
    /// Users decoded together, of all devices; nil: as many as fit.
    public var batch: Double?
    public var price: Double?
    public var priceSource = "--price"
    /// Who the plan is compared with.
    public var rival: TokenPrice?

    /// Mean tokens in the cache behind an output token of DeepSeek's fleet.
    static let fleetContext = 4989.0
    /// Its tokens of 2025-02-28, for 1000 of output.
    static let fleetRequest = (prompt: 3619.0, output: 1000.0, cached: 342.0 / 608)

    /// - Throws: ``InputError`` where the chip lacks a figure.
    public init(_ shape: ModelShape, chip: Chip, count: Double = 1, precision: Chip.Precision? = nil) throws {
        guard let memoryGB = chip.memoryGB, chip.bandwidthGBs != nil else {
            throw InputError(
                "memory or bandwidth of \(chip.name) is not known", remedy: "give --memory-gb and --bandwidth-gbs")
        }
        self.shape = shape
        self.chip = chip
        self.count = count
        let chosen = precision ?? (chip.float8 != nil ? .fp8 : .bf16)
        self.precision = chosen
        _ = try chip.peak(chosen)
        weightBits = 8 * chosen.bytes
        processor = chip.rates
        price = chip.rent?.typical
        if let rent = chip.rent { priceSource = "typical of \(rent.date): \(rent.source)" }
        computeShare = chosen == .bf16 ? 0.32 : 0.16
        computeSource = "DeepSeek's fleet of 2025-02-28: 73.7 K prompt tokens/s on 8 H800 with 56 % from the cache"
        bandwidthShare = count > 1 ? 0.33 : 0.6
        bandwidthSource =
            count > 1
            ? "DeepSeek's fleet: 14.8 K tokens/s on 8 H800 at 20 to 22 a user, network included"
            : "a round figure for one device"
        let others = (shape.totalParameters - shape.routedParameters) * weightBits / 8
        var parallel = shape.experts == nil ? count : 1
        while parallel * 2 <= count, others / parallel > memoryGB * 1e9 / 2 { parallel *= 2 }
        tensorParallel = parallel
    }

    /// - Throws: ``InputError`` naming the figure that cannot be.
    public func validate() throws {
        guard count >= 1, count <= 1e6, count == count.rounded() else {
            throw InputError("--count must be a whole number from 1 to 1,000,000")
        }
        guard tensorParallel >= 1, tensorParallel <= count else {
            throw InputError("--tensor-parallel must be 1 to the number of devices")
        }
        for (name, value, limit) in [
            ("--weight-bits", weightBits, 64.0), ("--cache-bits", cacheBits, 64), ("--context", context, 1e9),
            ("--prompt", prompt, 1e9), ("--output", output, 1e9), ("--batch", batch ?? 1, 1e9),
            ("--prefix-gbs", prefixRate, 1e15), ("--load", load, 1), ("--bandwidth-share", bandwidthShare, 1),
            ("--memory-share", memoryShare, 1), ("--product-share", productShare, 1),
        ] where !(value > 0 && value <= limit) {
            throw InputError("\(name) must be above 0 and at most \(Quantity.count(limit))")
        }
        if let weightRate, !(weightRate > 0) { throw InputError("--weight-gbs must be above zero") }
        guard (0...1).contains(cachedShare) else { throw InputError("--cached must be 0 to 1") }
        let ceiling = chip.achievable ?? 1
        guard computeShare > 0, computeShare <= ceiling else {
            throw InputError(
                "--compute-share must be above 0 and at most \(ceiling), what \(chip.name) reaches in matrix products")
        }
        if let price, !(price >= 0 && price < 1e6) {
            throw InputError("--price must be 0 to 1,000,000 dollars an hour")
        }
        guard cacheCapacity > context else {
            let need = weightBytes + context * cacheBytesPerToken
            throw InputError(
                "the weights and one user's cache (\(Quantity.bytes(need))) do not fit "
                    + "\(Quantity.fixed(count, 0)) × \(chip.name)",
                remedy: "more --count, fewer --weight-bits, or a shorter --context")
        }
    }
}

extension ServingPlan {
    private var bandwidth: Double { (chip.bandwidthGBs ?? .nan) * 1e9 * bandwidthShare }
    private var arithmetic: Double { ((try? chip.peak(precision).operations) ?? .nan) * computeShare }

    /// Bytes of all weights, once.
    public var weightBytes: Double { shape.totalParameters * weightBits / 8 }

    /// Bytes of weights on one device.
    public var weightBytesPerDevice: Double {
        let routed = shape.routedParameters
        return ((shape.totalParameters - routed) / tensorParallel + routed / count) * weightBits / 8
    }

    public var cacheBytesPerToken: Double { shape.cachedValues * cacheBits / 8 }

    /// Tokens that fit into the cache of all devices.
    public var cacheCapacity: Double { cacheCapacity(bytesPerToken: cacheBytesPerToken) }

    func cacheCapacity(bytesPerToken: Double) -> Double {
        max(0, ((chip.memoryGB ?? 0) * 1e9 * memoryShare - weightBytesPerDevice) * count / bytesPerToken)
    }

    /// Users that fit with their context.
    public var largestBatch: Double { (cacheCapacity / context).rounded(.down) }

    /// Users decoded together.
    public var usedBatch: Double { min(batch ?? largestBatch, largestBatch) }

    /// Expected share of a layer's routed experts that `tokens` tokens need, choosing evenly: 1 − (1 − k/E)^n.
    public func coverage(_ tokens: Double) -> Double {
        guard let experts = shape.experts else { return 1 }
        return 1 - pow(1 - experts.perToken / experts.routed, tokens)
    }

    /// Bytes of weights that one device reads in a pass over `tokens` tokens.
    private func weightBytesRead(_ tokens: Double) -> Double {
        let used = shape.experts.map { shape.routedParameters * $0.perToken / $0.routed } ?? 0
        let others = shape.multipliedParameters - used
        return (others / tensorParallel + shape.routedParameters * coverage(tokens) / count) * weightBits / 8
    }

    /// One step of decoding.
    public struct Step: Sendable {
        public let batch: Double
        public let coverage: Double
        public let seconds: Double
        /// What it spends most of the time on.
        public let limit: String

        public var tokensPerSecond: Double { batch / seconds }
        public var tokensPerSecondPerUser: Double { 1 / seconds }

        /// Work that goes on at the same time: the longest counts.
        init(batch: Double, coverage: Double, reading: Double, opening: Double, arithmetic: Double) {
            self.batch = batch
            self.coverage = coverage
            seconds = max(reading, opening, arithmetic)
            limit = seconds == reading ? "bandwidth" : seconds == opening ? "opening weights" : "arithmetic"
        }

        /// Work that is done one after the other.
        init(batch: Double, coverage: Double, products: Double, attention: Double) {
            self.batch = batch
            self.coverage = coverage
            seconds = products + attention
            limit = products >= attention ? "products" : "attention"
        }
    }

    /// A step of `batch` users, of all devices together.
    public func step(batch: Double) -> Step {
        if let processor { return step(batch: batch, processor) }
        let cacheSeconds = batch * context * cacheBytesPerToken / count / bandwidth
        let weights = weightBytesRead(batch)
        let operations =
            2 * shape.multipliedParameters + 2 * shape.layers * context * shape.decodingWidth
        return Step(
            batch: batch, coverage: coverage(batch),
            reading: weights / bandwidth + cacheSeconds,
            opening: weightRate.map { weights / $0 + cacheSeconds } ?? 0,
            arithmetic: batch * operations / count / arithmetic)
    }

    /// Prompt tokens a second that all devices compute.
    public var promptRate: Double {
        if let processor { return prompt / promptSeconds(processor) }
        let head = 2 * shape.vocabulary * shape.hidden
        let operations = (shape.forwardOperations(length: prompt) - head) * prompt + head
        // Every group of devices that shares the weights which are not experts has a prompt of its own.
        let groups = max(1, count / tensorParallel)
        let seconds = max(
            operations * groups / count / arithmetic, weightBytesRead(prompt * groups) / bandwidth)
        return prompt * groups / seconds
    }

    /// Stored prompt tokens that all devices fetch in a second.
    public var prefixTokenRate: Double { prefixRate * count / cacheBytesPerToken }

    /// Dollars per million tokens at this many tokens a second.
    public func dollarsPerMillion(_ rate: Double) -> Double? { price.map { $0 * count / 3600 / (rate * load) * 1e6 } }

    /// Own prices, as a provider's.
    public var ownPrice: TokenPrice? {
        guard let input = dollarsPerMillion(promptRate), let cached = dollarsPerMillion(prefixTokenRate),
            let output = dollarsPerMillion(step(batch: usedBatch).tokensPerSecond)
        else { return nil }
        return TokenPrice(
            date: "", provider: "own", model: shape.name, input: input, cachedInput: cached, output: output,
            kind: .cost, confidence: .d, source: "roofline")
    }

    /// What one request costs at a price.
    public func dollarsPerRequest(_ price: TokenPrice) -> Double {
        price.dollars(
            cachedM: prompt * cachedShare / 1e6, inputM: prompt * (1 - cachedShare) / 1e6, outputM: output / 1e6)
    }

    /// Share of full throughput at which own devices cost as much as the rival asks; nil without prices.
    public var breakEvenLoad: Double? {
        guard let ownPrice, let rival else { return nil }
        return dollarsPerRequest(ownPrice) * load / dollarsPerRequest(rival)
    }

    /// Requests a day that pay for the devices at the rival's price.
    public var breakEvenRequestsPerDay: Double? {
        guard let price, let rival else { return nil }
        return price * count * 24 / dollarsPerRequest(rival)
    }
}

/// A day of a fleet: what its devices cost and what its tokens bring.
public struct FleetDay: Sendable {
    public var nodes: Double
    public var devicesPerNode: Double
    /// Dollars an hour and device.
    public var price: Double
    /// Millions of tokens of the day.
    public var cachedM: Double
    public var inputM: Double
    public var outputM: Double

    public init(
        nodes: Double, devicesPerNode: Double, price: Double, cachedM: Double, inputM: Double, outputM: Double
    ) {
        self.nodes = nodes
        self.devicesPerNode = devicesPerNode
        self.price = price
        self.cachedM = cachedM
        self.inputM = inputM
        self.outputM = outputM
    }

    /// DeepSeek's of 2025-02-28, as published in open-infra-index, day 6.
    public static let deepSeek = FleetDay(
        nodes: 226.75, devicesPerNode: 8, price: 2, cachedM: 342_000, inputM: 266_000, outputM: 168_000)

    public var cost: Double { nodes * devicesPerNode * 24 * price }

    public func revenue(_ price: TokenPrice) -> Double {
        price.dollars(cachedM: cachedM, inputM: inputM, outputM: outputM)
    }

    /// Dollars per million tokens of a node that does so many a second.
    public func dollarsPerMillion(tokensPerSecondAndNode rate: Double) -> Double {
        price * devicesPerNode / (rate * 3600) * 1e6
    }
}
