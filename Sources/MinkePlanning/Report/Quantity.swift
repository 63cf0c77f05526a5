/// Large numbers as people write and read them.
public enum Quantity {
    private static let suffixes: [(Character, Double)] = [("k", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12)]

    /// `14.8T`, `671B`, `2048`, `1e12`: nil where it is not a finite number.
    public static func parse(_ text: String) -> Double? {
        var digits = Substring(text)
        var factor = 1.0
        if let last = digits.last, let suffix = suffixes.first(where: { $0.0.lowercased() == last.lowercased() }) {
            digits.removeLast()
            factor = suffix.1
        }
        // Double(_:) would also read "nan", "inf" and hexadecimal.
        guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || ".+-eE".contains($0)) }), let value = Double(digits),
            (value * factor).isFinite
        else { return nil }
        return value * factor
    }

    /// `value` with `decimals` digits after the point and commas between thousands.
    public static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "–" }
        guard value.magnitude < 1e15 else { return "\(value)" }
        let scale = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
        let scaled = (value.magnitude * scale).rounded(.toNearestOrAwayFromZero)
        guard scaled < 9e15 else { return "\(value)" }
        let digits = String(Int(scaled))
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        var whole = ""
        for (index, digit) in padded.dropLast(decimals).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { whole.append(",") }
            whole.append(digit)
        }
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return sign + String(whole.reversed()) + (decimals > 0 ? "." + padded.suffix(decimals) : "")
    }

    /// `value` to `digits` significant digits: `0.00042`, `3.14`, `12,300`.
    public static func significant(_ value: Double, _ digits: Int = 3) -> String {
        guard value.isFinite else { return "–" }
        if value == 0 { return "0" }
        var decimals = digits - 1
        var magnitude = value.magnitude
        while magnitude >= 10, decimals > 0 {
            magnitude /= 10
            decimals -= 1
        }
        while magnitude < 1, decimals < 12 {
            magnitude *= 10
            decimals += 1
        }
        return fixed(value, decimals)
    }

    /// `950`, `12.3k`, `37.55B`, `14.8T`; `3.707e+24` beyond.
    public static func count(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return "–" }
        if value.magnitude >= 1e16 { return scientific(value, digits) }
        for (suffix, factor) in suffixes.reversed() where value.magnitude >= factor {
            return trimmed(significant(value / factor, digits)) + String(suffix)
        }
        return trimmed(significant(value, digits))
    }

    /// `386.9 TFLOP/s` for `rate(3.869e14, "FLOP/s")`.
    public static func rate(_ value: Double, _ unit: String) -> String {
        for (prefix, factor) in [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)] where value >= factor {
            return trimmed(significant(value / factor, 4)) + " " + prefix + unit
        }
        return count(value) + " " + unit
    }

    /// `3.707e24`.
    public static func scientific(_ value: Double, _ digits: Int = 4) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "–" }
        var exponent = 0
        var mantissa = value
        while mantissa.magnitude >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa.magnitude < 1 {
            mantissa *= 10
            exponent -= 1
        }
        return "\(fixed(mantissa, digits - 1))e\(exponent)"
    }

    /// `$5,328,000`, `$12.34`, `$0.0042`.
    public static func dollars(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let text =
            value.magnitude >= 1000
            ? fixed(value.magnitude, 0)
            : value.magnitude >= 1 || value == 0
                ? fixed(value.magnitude, 2)
                : significant(value.magnitude, 3)
        return (value < 0 ? "-$" : "$") + text
    }

    /// `70.27 kB`, `671 GB`.
    public static func bytes(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        for (unit, factor) in [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
        where value.magnitude >= factor {
            return trimmed(significant(value / factor, 4)) + " " + unit
        }
        return fixed(value, 0) + " B"
    }

    /// `39.1 %`.
    public static func percent(_ share: Double) -> String { trimmed(significant(share * 100, 3)) + " %" }

    /// `6.7 ms`, `42 s`, `3.1 h`, `54 days`.
    public static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "–" }
        for (unit, factor) in [("days", 172_800.0, 86_400.0), ("h", 7200, 3600), ("min", 120, 60), ("s", 1, 1)]
            .map({ ($0.0, ($0.1, $0.2)) }) where seconds >= factor.0
        {
            return significant(seconds / factor.1, 3) + " " + unit
        }
        return significant(seconds * 1000, 3) + " ms"
    }

    /// A decimal number without the zeros that end its fraction.
    static func trimmed(_ number: String) -> String {
        guard number.contains(".") else { return number }
        var text = Substring(number)
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return String(text)
    }
}
