import MinkeFiles

/// A processor that can be rented or bought, by what its maker states and what was measured.
public struct Chip: Sendable, Equatable {
    /// Type of the operands of matrix products.
    public enum Precision: String, Sendable, CaseIterable {
        case bf16, fp8, int8

        /// Bytes of one weight in this type.
        public var bytes: Double { self == .bf16 ? 2 : 1 }
    }

    /// How the name is typed: `h800-sxm`.
    public var id: String
    public var name: String
    public var kind: String
    public var vendor: String
    public var year: Int?
    /// 10⁹ bytes.
    public var memoryGB: Double?
    public var memoryType: String
    /// 10⁹ bytes a second.
    public var bandwidthGBs: Double?
    /// Watts of one device.
    public var tdpWatts: Double?
    /// Dense peaks in 10¹² operations a second.
    public var float32: Double?
    public var bfloat16: Double?
    public var float16: Double?
    public var float8: Double?
    public var int8: Double?
    /// Best measured matrix product over the bfloat16 peak; the ceiling of any utilisation.
    public var achievable: Double?
    /// 10⁹ bytes a second to other devices of the node.
    public var interconnectGBs: Double?
    public var rent: Rent?
    /// What was measured of a processor that runs models by itself.
    public var rates: ProcessorRates?
    public var confidence: Confidence
    public var source: String
    public var notes: String

    /// Dollars an hour and device, on demand.
    public struct Rent: Sendable, Equatable {
        public var low: Double
        public var typical: Double
        public var high: Double
        /// The month of the figures.
        public var date: String
        public var source: String

        public init(low: Double, typical: Double, high: Double, date: String, source: String = "") {
            self.low = low
            self.typical = typical
            self.high = high
            self.date = date
            self.source = source
        }
    }

    public init(
        id: String, name: String, kind: String = "other", vendor: String = "", year: Int? = nil,
        memoryGB: Double? = nil, memoryType: String = "", bandwidthGBs: Double? = nil, tdpWatts: Double? = nil,
        float32: Double? = nil, bfloat16: Double? = nil, float16: Double? = nil, float8: Double? = nil,
        int8: Double? = nil, achievable: Double? = nil, interconnectGBs: Double? = nil, rent: Rent? = nil,
        confidence: Confidence = .d, source: String, notes: String = ""
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.vendor = vendor
        self.year = year
        self.memoryGB = memoryGB
        self.memoryType = memoryType
        self.bandwidthGBs = bandwidthGBs
        self.tdpWatts = tdpWatts
        self.float32 = float32
        self.bfloat16 = bfloat16
        self.float16 = float16
        self.float8 = float8
        self.int8 = int8
        self.achievable = achievable
        self.interconnectGBs = interconnectGBs
        self.rent = rent
        self.confidence = confidence
        self.source = source
        self.notes = notes
    }

    /// The dense peak in operations a second, and the type that it holds for.
    ///
    /// Chips without bfloat16 (V100, T4, Apple's) are counted with float16, and processors with neither with float32.
    ///
    /// - Throws: ``InputError`` where the chip has no such arithmetic.
    public func peak(_ precision: Precision) throws -> (operations: Double, type: String) {
        let candidates: [(Double?, String)] =
            switch precision {
            case .bf16: [(bfloat16, "bf16"), (float16, "fp16"), (float32, "fp32")]
            case .fp8: [(float8, "fp8")]
            case .int8: [(int8, "int8")]
            }
        for case (let peak?, let type) in candidates { return (peak * 1e12, type) }
        throw InputError(
            "no \(precision.rawValue) peak is known for \(name)",
            remedy: "give --peak-tflops, or another --precision")
    }

    /// What the reader has to know before deciding on the chip's figures.
    public var cautions: [String] {
        var cautions: [String] = []
        if let caution = confidence.caution {
            cautions.append("\(name): \(caution) (confidence \(confidence.rawValue))")
        }
        if confidence == .d, !notes.isEmpty { cautions.append("\(name): \(notes)") }
        return cautions
    }
}
