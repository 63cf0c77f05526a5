import MinkeFiles

/// What computing time costs: an assumption, given by the user or the documented default.
public struct Price: Equatable, Sendable {
    /// What the rate is paid for.
    public enum Unit: String, Sendable {
        /// An hour of CPU time, as used: cores that idle cost nothing.
        case coreHour = "core-hour"
        /// An hour of the whole machine, busy or not.
        case machineHour = "machine-hour"
    }

    public var dollarsPerHour: Double
    public var unit: Unit
    /// Whether nobody gave this price.
    public var isDefault = false

    public init(dollarsPerHour: Double, per unit: Unit) {
        self.dollarsPerHour = dollarsPerHour
        self.unit = unit
    }

    /// $0.04 a core-hour: what large clouds ask for one on-demand vCPU with its memory ($0.03 to $0.05).
    public static let standard: Price = {
        var price = Price(dollarsPerHour: 0.04, per: .coreHour)
        price.isDefault = true
        return price
    }()

    /// Reads `0.04`, `0.04/core-hour` or `1.20/machine-hour`; a dollar sign in front is allowed.
    ///
    /// - Throws: ``InputError`` when the text is no such price.
    public init(parsing text: String) throws {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts.first.map { $0.hasPrefix("$") ? $0.dropFirst() : $0 } ?? ""
        guard let dollars = Double(number), dollars.isFinite, dollars >= 0,
            let unit = parts.count > 1 ? Unit(rawValue: String(parts[1])) : .coreHour
        else {
            throw InputError(
                "'\(text.prefix(80))' is not a price",
                remedy: "give dollars per hour, like 0.04/core-hour or 1.20/machine-hour")
        }
        self.init(dollarsPerHour: dollars, per: unit)
    }

    /// The dollars for a use of the machine.
    public func dollars(cpuSeconds: Double, wallSeconds: Double) -> Double {
        (unit == .coreHour ? cpuSeconds : wallSeconds) / 3600 * dollarsPerHour
    }

    /// The assumption in words: `assuming $0.04 per core-hour (default)`.
    public var assumption: String {
        "assuming \(HumanFormat.dollars(dollarsPerHour)) per \(unit.rawValue)" + (isDefault ? " (default)" : "")
    }
}
