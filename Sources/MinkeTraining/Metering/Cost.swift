import MinkeFiles

/// What a run cost, in every unit that Minke meters.
public struct Cost: Equatable, Sendable {
    /// User and system CPU time of training itself, all threads together, in seconds.
    public var cpuSeconds = 0.0
    /// CPU time of validation, in seconds; not part of ``cpuSeconds``.
    public var evaluationCPUSeconds = 0.0
    /// Time that passed, in seconds.
    public var wallSeconds = 0.0
    /// Model FLOPs, counted from the shapes.
    public var flops = 0.0
    /// Tokens trained on.
    public var tokens = 0
    /// The most memory held at once, in bytes.
    public var peakMemoryBytes = 0
    /// Energy in joules, counted or estimated as ``joulesSource`` says.
    public var joules = 0.0
    /// `rapl`, or `estimate: …`.
    public var joulesSource = ""
    /// Money, from a price that is an assumption (``Price/assumption``).
    public var dollars = 0.0

    public init(
        cpuSeconds: Double = 0, evaluationCPUSeconds: Double = 0, wallSeconds: Double = 0, flops: Double = 0,
        tokens: Int = 0, peakMemoryBytes: Int = 0, joules: Double = 0, joulesSource: String = "", dollars: Double = 0
    ) {
        self.cpuSeconds = cpuSeconds
        self.evaluationCPUSeconds = evaluationCPUSeconds
        self.wallSeconds = wallSeconds
        self.flops = flops
        self.tokens = tokens
        self.peakMemoryBytes = peakMemoryBytes
        self.joules = joules
        self.joulesSource = joulesSource
        self.dollars = dollars
    }

    /// Both costs together, as when a run resumes: amounts add, the peak is the higher one.
    public static func + (left: Cost, right: Cost) -> Cost {
        let sources = [left.joulesSource, right.joulesSource].filter { !$0.isEmpty }
        let tokens = left.tokens.addingReportingOverflow(right.tokens)
        return Cost(
            cpuSeconds: left.cpuSeconds + right.cpuSeconds,
            evaluationCPUSeconds: left.evaluationCPUSeconds + right.evaluationCPUSeconds,
            wallSeconds: left.wallSeconds + right.wallSeconds,
            flops: left.flops + right.flops,
            tokens: tokens.overflow ? .max : tokens.partialValue,
            peakMemoryBytes: max(left.peakMemoryBytes, right.peakMemoryBytes),
            joules: left.joules + right.joules,
            joulesSource: Set(sources).count > 1 ? sources.joined(separator: " + ") : sources.first ?? "",
            dollars: left.dollars + right.dollars)
    }
}

extension Cost {
    /// The cost as a JSON object.
    public var json: JSON {
        [
            "cpu_seconds": .number(cpuSeconds),
            "evaluation_cpu_seconds": .number(evaluationCPUSeconds),
            "wall_seconds": .number(wallSeconds),
            "flops": .number(flops),
            "tokens": .integer(tokens),
            "peak_memory_bytes": .integer(peakMemoryBytes),
            "joules": .number(joules),
            "joules_source": .string(joulesSource),
            "dollars": .number(dollars),
        ]
    }

    /// Reads what ``json`` wrote.
    ///
    /// - Throws: ``InputError`` that names the first key that is missing or not of its type.
    public init(json: JSON) throws {
        func value<Value>(_ key: String, _ convert: (JSON) -> Value?) throws -> Value {
            guard let value = json[key].flatMap(convert) else {
                throw InputError("a cost without a valid \"\(key)\"", remedy: "the file was not written by minke")
            }
            return value
        }
        func amount(_ key: String) throws -> Double {
            try value(key) { json in json.doubleValue.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }
        }
        func count(_ key: String) throws -> Int {
            try value(key) { json in json.intValue.flatMap { $0 >= 0 ? $0 : nil } }
        }
        self.init(
            cpuSeconds: try amount("cpu_seconds"),
            evaluationCPUSeconds: try amount("evaluation_cpu_seconds"),
            wallSeconds: try amount("wall_seconds"),
            flops: try amount("flops"),
            tokens: try count("tokens"),
            peakMemoryBytes: try count("peak_memory_bytes"),
            joules: try amount("joules"),
            joulesSource: try value("joules_source", \.stringValue),
            dollars: try amount("dollars"))
    }
}
