/// Numbers as people read them: durations, sizes, counts, money, rates.
///
/// Every function accepts any `Double`; what is not finite prints as `–`.
public enum HumanFormat {
    /// What stands for a number that does not exist.
    public static let missing = "–"

    /// `value` with exactly `decimals` digits after the point, rounded half away from zero.
    public static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return missing }
        let decimals = min(max(decimals, 0), 15)
        let scale = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
        let scaled = (value.magnitude * scale).rounded(.toNearestOrAwayFromZero)
        // Past 2^53 a Double has no fraction left to round, so Swift's own shortest form says all there is.
        guard scaled < 9_007_199_254_740_992 else { return "\(value)" }
        let digits = String(Int(scaled))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// `value` rounded to `digits` significant digits, without exponent: `0.00042`, `3.14`, `1230`.
    public static func significant(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : missing }
        var decimals = digits - 1
        var magnitude = value.magnitude
        while magnitude >= 10, decimals > 0 {
            magnitude /= 10
            decimals -= 1
        }
        while magnitude < 1, decimals < 15 {
            magnitude *= 10
            decimals += 1
        }
        return fixed(value, decimals)
    }

    /// A whole number with its thousands set apart by commas: `12,345`.
    public static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// A span of time: `350ms`, `4.2s`, `42s`, `1m 05s`, `3h 07m`, `2d 04h`.
    public static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return missing }
        let seconds = min(max(seconds, 0), 1e12)
        if seconds == 0 { return "0s" }
        if seconds < 0.9995 { return fixed(seconds * 1000, seconds < 0.00995 ? 1 : 0) + "ms" }
        if seconds < 9.95 { return fixed(seconds, 1) + "s" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if whole < 60 { return "\(whole)s" }
        if whole < 3_600 { return "\(whole / 60)m \(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3_600)h \(two(whole % 3_600 / 60))m" }
        return "\(whole / 86_400)d \(two(whole % 86_400 / 3_600))h"
    }

    /// A size in decimal units: `1.2 GB`.
    public static func bytes(_ count: Int) -> String {
        scaled(Double(count), units: [" B", " kB", " MB", " GB", " TB", " PB"])
    }

    /// A count: `950`, `12.3M`, `1.5B`.
    public static func count(_ value: Double) -> String {
        scaled(value, units: ["", "k", "M", "B", "T", "Q"])
    }

    /// An amount of computation: `3.2 PFLOP`.
    public static func flops(_ value: Double) -> String {
        scaled(value, units: [" FLOP", " kFLOP", " MFLOP", " GFLOP", " TFLOP", " PFLOP", " EFLOP", " ZFLOP"])
    }

    /// An amount of energy: `1.5 kJ`.
    public static func joules(_ value: Double) -> String {
        scaled(value, units: [" J", " kJ", " MJ", " GJ", " TJ"])
    }

    /// A speed: `12.3k tok/s` for `rate(12_300, "tok/s")`.
    public static func rate(_ perSecond: Double, _ unit: String) -> String {
        count(perSecond) + " " + unit
    }

    /// A share: `38%` for 0.38, `4.2%` for 0.042.
    public static func percent(_ share: Double) -> String {
        fixed(share * 100, (share * 100).magnitude < 9.95 ? 1 : 0) + "%"
    }

    /// An amount of money: `$1,234`, `$1.23`, and two significant digits below a dollar: `$0.00040`.
    public static func dollars(_ value: Double) -> String {
        guard value.isFinite else { return missing }
        let sign = value < 0 ? "-" : ""
        let amount = value.magnitude
        switch amount {
        case 0: return "$0"
        case ..<0.000_001: return "<$0.000001"
        case ..<0.1: return sign + "$" + trimmed(significant(amount, 2))
        case ..<999.995: return sign + "$" + fixed(amount, 2)
        case ..<1e15: return sign + "$" + grouped(Int(amount.rounded()))
        default: return sign + "$\(amount)"
        }
    }

    /// `number` without the zeros that end its fraction.
    static func trimmed(_ number: String) -> String {
        guard number.contains(".") else { return number }
        var text = Substring(number)
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return String(text)
    }

    private static func scaled(_ value: Double, units: [String]) -> String {
        guard value.isFinite else { return missing }
        var value = value
        var unit = 0
        // 999.95 would round to "1000": it belongs to the next unit.
        while value.magnitude >= (unit == 0 ? 999.5 : 999.95), unit + 1 < units.count {
            value /= 1000
            unit += 1
        }
        let isWhole = unit == 0 && value == value.rounded()
        return fixed(value, isWhole || value.magnitude >= 99.95 ? 0 : 1) + units[unit]
    }
}
