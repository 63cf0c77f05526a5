import MinkeFiles
import MinkeModel
import MinkeTensors

/// Times prompts and decoding of a model, against what this machine could do at most.
public struct ModelBenchmark: Sendable {
    /// Lengths of prompts.
    public var prompts = [512]
    /// Tokens in the cache before decoding starts; the cache is filled with noise, not by running a text.
    public var depths = [0, 4096, 16_384]
    /// Sequences decoded together. Numbers above 1 are only measured at the first depth.
    public var batches = [1, 8]
    /// Measurements of each figure; the median counts.
    public var rounds = 3
    /// Tokens decoded in one measurement.
    public var steps = 8

    public init() {}

    /// - Throws: ``InputError`` naming the number that has no meaning for the model.
    public func validate(for configuration: ModelConfiguration) throws {
        let context = configuration.maxPositionEmbeddings
        for (name, values, range) in [
            ("a prompt", prompts, 1...context), ("a depth", depths, 0...max(0, context - steps)),
            ("a batch", batches, 1...1024), ("a number of rounds", [rounds], 1...1000),
            ("a number of steps", [steps], 1...10_000),
        ] {
            guard let wrong = values.first(where: { !range.contains($0) }) else { continue }
            throw InputError(
                "\(name) of \(wrong)", remedy: "for this model give \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// Speeds of several rounds, in tokens a second.
    public struct Speed: Sendable {
        public let median: Double
        public let slowest: Double
        public let fastest: Double

        init(tokens: Int, seconds: [Double]) {
            let sorted = seconds.map { Double(tokens) / max($0, 1e-9) }.sorted()
            median = sorted[sorted.count / 2]
            slowest = sorted[0]
            fastest = sorted[sorted.count - 1]
        }
    }

    /// One line of the result.
    public struct Figure: Sendable {
        public enum Work: Sendable, Equatable {
            case prompt(tokens: Int)
            case decoding(depth: Int, batch: Int)
        }

        public let work: Work
        /// All sequences together.
        public let speed: Speed
        /// Arithmetic of one token.
        public let operationsPerToken: Double
        /// Weights and cached rows that one token has to read, its share where several are run together.
        public let bytesPerToken: Double
        /// How experts that are read when they are needed fared in the measured rounds; nil where all weights are mapped.
        public var experts: ExpertStatistics?

        /// Bytes of experts read for one token.
        public func bytesReadPerToken(rounds: Int, steps: Int) -> Double? {
            experts.map {
                switch work {
                case .prompt(let tokens): Double($0.bytesRead) / Double(rounds * tokens)
                case .decoding(_, let batch): Double($0.bytesRead) / Double(rounds * steps * batch)
                }
            }
        }
    }

    /// What the machine does at most.
    public struct Limits: Sendable {
        /// Bytes read a second.
        public let bandwidth: Double
        /// Operations a second by the type of the operands.
        public let float32: Double
        public let bfloat16: Double
        /// With operands of 8 bits; nil where the processor has no instructions for them.
        public let int8: Double?

        /// Measures them; takes about a second.
        public static func measure() -> Limits {
            let cpu = CPU.shared
            return Limits(
                bandwidth: cpu.measuredReadBandwidth(), float32: cpu.measuredPeak(.float32),
                bfloat16: cpu.measuredPeak(.bfloat16), int8: cpu.measuredBytePeak())
        }

        /// The arithmetic limit of a precision: fast products quantise activations to 8 bits where that is possible.
        public func operations(_ precision: Precision) -> Double {
            precision == .float32 ? float32 : int8 ?? bfloat16
        }
    }

    /// Runs everything. Depths that the context does not hold are left out.
    ///
    /// - Parameter progress: called with each figure as it is known.
    public func run(_ model: TextModel, progress: (Figure) throws -> Void = { _ in }) throws -> [Figure] {
        let context = model.configuration.maxPositionEmbeddings
        let cacheType = model.cacheType
        var figures: [Figure] = []
        for tokens in prompts where tokens <= context {
            figures.append(
                try model.withModel { model in try measured(model) { prompt(tokens, model, cacheType) } })
            try progress(figures[figures.count - 1])
        }
        for (index, depth) in depths.enumerated() where depth + steps <= context {
            for batch in batches where batch == 1 || index == 0 {
                figures.append(
                    try model.withModel { model in
                        try measured(model) { decoding(depth, batch: batch, model, cacheType) }
                    })
                try progress(figures[figures.count - 1])
            }
        }
        return figures
    }

    /// The figure, once it is sure that no read failed meanwhile.
    private func measured(_ model: LanguageModel, _ body: () -> Figure) throws -> Figure {
        let figure = body()
        try model.checkReads()
        return figure
    }

    private func prompt(_ count: Int, _ model: LanguageModel, _ cacheType: CacheType) -> Figure {
        let cache = model.makeCache(capacity: count, type: cacheType)
        let tokens = Self.tokens(count, model, sequence: 0)
        let (seconds, experts) = time(model) {
            cache.truncate(to: 0)
            while cache.count < count {
                let part = Array(tokens[cache.count..<min(count, cache.count + TextModel.tokensAtOnce)])
                let states = model.extend([part], caches: [cache])
                if cache.count == count { _ = model.logits(of: states.rows(states.rows - 1..<states.rows)) }
            }
        }
        return Figure(
            work: .prompt(tokens: count), speed: Speed(tokens: count, seconds: seconds),
            operationsPerToken: ModelCosts(model.configuration).promptFLOPs(length: count) / Double(count),
            bytesPerToken: Double(model.weightBytes(perPassOver: count)) / Double(count), experts: experts)
    }

    private func decoding(_ depth: Int, batch: Int, _ model: LanguageModel, _ cacheType: CacheType) -> Figure {
        let caches = (0..<batch).map { sequence in
            let cache = model.makeCache(capacity: depth + steps, type: cacheType)
            cache.fill(count: depth, seed: UInt64(sequence))
            return cache
        }
        // Every round has its own tokens: the experts of the last round's would still be in memory.
        let tokens = (0..<batch).map { Self.tokens(steps * (rounds + 1), model, sequence: $0) }
        var token = 0
        let (seconds, experts) = time(model) {
            caches.forEach { $0.truncate(to: depth) }
            for _ in 0..<steps {
                _ = model.next(tokens.map { [$0[token]] }, caches: caches)
                token += 1
            }
        }
        let middle = depth + steps / 2
        let weights = Double(model.weightBytes(perPassOver: batch)) / Double(batch)
        return Figure(
            work: .decoding(depth: depth, batch: batch), speed: Speed(tokens: batch * steps, seconds: seconds),
            operationsPerToken: ModelCosts(model.configuration).decodingFLOPs(depth: middle),
            bytesPerToken: weights + Double(caches[0].bytesPerToken) * Double(middle), experts: experts)
    }

    /// Seconds of each round, after one that warms up, and how experts fared in them.
    private func time(_ model: LanguageModel, _ body: () -> Void) -> ([Double], ExpertStatistics?) {
        body()
        let before = model.expertStatistics ?? ExpertStatistics()
        let seconds = (0..<rounds).map { _ in
            let start = ContinuousClock.now
            body()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        return (seconds, model.expertStatistics?.since(before))
    }

    private static func tokens(_ count: Int, _ model: LanguageModel, sequence: Int) -> [Int32] {
        var random = CounterRandom(seed: 1, purpose: "benchmark tokens", sample: sequence)
        return (0..<count).map { _ in Int32(random.integer(below: model.configuration.vocabSize)) }
    }
}

extension ModelBenchmark.Figure {
    /// The figure with its share of both limits.
    public func json(_ limits: ModelBenchmark.Limits, _ precision: Precision) -> JSON {
        var json: JSON.Object =
            switch work {
            case .prompt(let tokens): ["tokens": .integer(tokens)]
            case .decoding(let depth, let batch): ["depth": .integer(depth), "batch": .integer(batch)]
            }
        json["tokens_per_second"] = .number(speed.median)
        json["tokens_per_second_min"] = .number(speed.slowest)
        json["tokens_per_second_max"] = .number(speed.fastest)
        json["bytes_per_token"] = .number(bytesPerToken)
        json["flops_per_token"] = .number(operationsPerToken)
        json["fraction_of_bandwidth"] = .number(fractionOfBandwidth(limits))
        json["fraction_of_peak"] = .number(fractionOfPeak(limits, precision))
        if let experts { json["experts"] = experts.json }
        return .object(json)
    }

    /// The share of the bandwidth that reading the weights and the cache takes.
    public func fractionOfBandwidth(_ limits: ModelBenchmark.Limits) -> Double {
        speed.median * bytesPerToken / limits.bandwidth
    }

    /// The share of the arithmetic peak.
    public func fractionOfPeak(_ limits: ModelBenchmark.Limits, _ precision: Precision) -> Double {
        speed.median * operationsPerToken / limits.operations(precision)
    }
}
