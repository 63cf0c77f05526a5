/// How good a figure is.
public enum Confidence: String, Sendable, CaseIterable, Comparable {
    /// Read in a primary file, or in two tables that agree.
    case a = "A"
    /// Read in one secondary source, or a primary figure plus simple arithmetic.
    case b = "B"
    /// Recalled from the named paper or datasheet.
    case c = "C"
    /// An estimate, or sources that conflict: nothing to decide on.
    case d = "D"

    /// Better figures come first.
    public static func < (left: Confidence, right: Confidence) -> Bool { left.rawValue < right.rawValue }

    /// What to say of a figure that nobody should decide on; nil where it needs no warning.
    public var caution: String? {
        switch self {
        case .a, .b: nil
        case .c: "recalled from its source, not read again"
        case .d: "an estimate, or from sources that conflict: do not decide on it"
        }
    }
}
