import ArgumentParser
import MinkeServing

/// `128` or `100-400`.
struct CountRange: ExpressibleByArgument {
    let range: ClosedRange<Int>

    init(_ range: ClosedRange<Int>) { self.range = range }

    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard let first = parts.first ?? nil, let last = parts.last ?? nil, parts.count <= 2, first <= last else {
            return nil
        }
        range = first...last
    }

    var defaultValueDescription: String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}

/// `1,4,8,16`.
struct CountList: ExpressibleByArgument {
    let values: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        values = parts.compactMap(\.self)
        guard values.count == parts.count else { return nil }
    }
}

/// `500ms`, `2s`, or `2`.
struct TimeSpan: ExpressibleByArgument {
    let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let unit = argument.hasSuffix("ms") ? "ms" : argument.hasSuffix("s") ? "s" : ""
        guard let number = Double(argument.dropLast(unit.count)), number.isFinite, number > 0 else { return nil }
        seconds = unit == "ms" ? number / 1000 : number
    }

    var defaultValueDescription: String { seconds < 1 ? "\(seconds * 1000)ms" : "\(seconds)s" }
}

extension LoadPlan.Interface: ExpressibleByArgument {}
