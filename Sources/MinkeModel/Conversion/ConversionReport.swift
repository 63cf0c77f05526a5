import MinkeCheckpoints
import MinkeFiles

/// What a conversion did: sizes before and after, and how far the weights moved.
public struct ConversionReport: Sendable {
    /// The tensors of one kind.
    public struct Part: Sendable {
        public let kind: WeightKind
        public internal(set) var tensors = 0
        public internal(set) var elements = 0
        public internal(set) var bytesBefore = 0
        public internal(set) var bytesAfter = 0
        /// The types of the target, in the order in which they came up.
        public internal(set) var types: [StoredType] = []
        var error = EncodingError()

        init(kind: WeightKind) { self.kind = kind }

        /// The root of the mean squared difference as a fraction of the weights' own: 0 for an exact copy.
        public var relativeError: Double {
            error.weight > 0 ? (error.difference / error.weight).squareRoot() : 0
        }
    }

    /// Kinds that the model has.
    public private(set) var parts: [Part] = []
    /// What could not be carried over, or was made up.
    public var notes: [String] = []

    public var bytesBefore: Int { parts.reduce(0) { $0 + $1.bytesBefore } }
    public var bytesAfter: Int { parts.reduce(0) { $0 + $1.bytesAfter } }
    public var elements: Int { parts.reduce(0) { $0 + $1.elements } }
    /// The error of all weights together.
    public var relativeError: Double {
        var sum = EncodingError()
        for part in parts { sum += part.error }
        return sum.weight > 0 ? (sum.difference / sum.weight).squareRoot() : 0
    }

    mutating func add(_ plan: WeightPlan, type: StoredType, _ error: EncodingError) {
        let index =
            parts.firstIndex { $0.kind == plan.kind }
            ?? {
                parts.append(Part(kind: plan.kind))
                return parts.count - 1
            }()
        parts[index].tensors += 1
        parts[index].elements += plan.elementCount
        parts[index].bytesBefore += plan.sourceBytes
        parts[index].bytesAfter += type.byteCount(shape: plan.shape) ?? 0
        if !parts[index].types.contains(type) { parts[index].types.append(type) }
        parts[index].error += error
    }

    public var json: JSON {
        [
            "parts": .array(
                parts.map { part in
                    [
                        "kind": .string(part.kind.rawValue), "tensors": .integer(part.tensors),
                        "elements": .integer(part.elements), "types": .array(part.types.map { .string($0.rawValue) }),
                        "bytes_before": .integer(part.bytesBefore), "bytes_after": .integer(part.bytesAfter),
                        "relative_rms_error": .number(part.relativeError),
                    ]
                }),
            "elements": .integer(elements), "bytes_before": .integer(bytesBefore),
            "bytes_after": .integer(bytesAfter), "relative_rms_error": .number(relativeError),
            "notes": .array(notes.map { .string($0) }),
        ]
    }
}
