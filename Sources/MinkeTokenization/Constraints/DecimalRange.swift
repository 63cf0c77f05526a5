import MinkeFiles

/// The numbers between bounds as a machine that reads decimal digits.
struct DecimalRange {
    /// A bound's digits in front of the point, without leading zeros, and behind it, without trailing ones.
    struct Bound: Equatable {
        var isNegative: Bool
        var whole: [UInt8]
        var fraction: [UInt8]
        var isExclusive: Bool

        var isZero: Bool { whole.isEmpty && fraction.isEmpty }

        /// - Returns: nil for a number that would need more than forty digits.
        init?(_ value: JSON, isExclusive: Bool) {
            let text: String
            switch value {
            case .integer(let value): text = String(value)
            case .number(let value): text = "\(value)"
            default: return nil
            }
            let parts = text.split(separator: "e")
            let digits = parts[0].split(separator: ".")
            let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
            guard (-40...40).contains(exponent) else { return nil }
            isNegative = text.hasPrefix("-")
            whole = digits[0].utf8.filter { $0 != 0x2D }
            fraction = digits.count > 1 ? Array(digits[1].utf8) : []
            for _ in 0..<max(0, exponent) { whole.append(fraction.isEmpty ? 0x30 : fraction.removeFirst()) }
            for _ in 0..<max(0, -exponent) { fraction.insert(whole.popLast() ?? 0x30, at: 0) }
            whole = Array(whole.drop { $0 == 0x30 })
            while fraction.last == 0x30 { fraction.removeLast() }
            guard whole.count + fraction.count <= 40 else { return nil }
            self.isExclusive = isExclusive
            if isZero { isNegative = false }
        }
    }

    enum Phase: Hashable {
        case start, sign, zero
        case whole(Int)
        case point
        case fraction(Int)
    }

    struct Reading: Hashable {
        fileprivate(set) var phase = Phase.start
        fileprivate var isNegative = false
        /// By bound: whether the digits so far are less (-1), equal or greater (1) than those of its size.
        fileprivate var orders: [Int8]
        /// Rest of the division by the divisor.
        fileprivate var rest = 0
        fileprivate var isZero = true
    }

    let minimum: Bound?
    let maximum: Bound?
    let isInteger: Bool
    /// What integers must be a multiple of.
    let divisor: Int

    static let alphabet = Array("0123456789-.".utf8)

    var initial: Reading { Reading(orders: [0, 0]) }

    private var bounds: [Bound?] { [minimum, maximum] }

    /// What is read behind one more byte, or nil where no number continues so.
    func next(_ reading: Reading, _ byte: UInt8) -> Reading? {
        var reading = reading
        let digits = JSONGrammar.maximumDigits
        switch (reading.phase, byte) {
        case (.start, 0x2D):
            reading.phase = .sign
            reading.isNegative = true
            return reading
        case (.start, 0x30), (.sign, 0x30):
            reading.phase = .zero
            return reading
        case (.start, 0x31...0x39), (.sign, 0x31...0x39): return append(byte, at: 0, to: reading)
        case (.whole(let count), 0x30...0x39) where count < digits.integer: return append(byte, at: count, to: reading)
        case (.zero, 0x2E) where !isInteger, (.whole, 0x2E) where !isInteger:
            for (index, bound) in bounds.enumerated() { reading.orders[index] = wholeOrder(reading, index, bound) }
            reading.phase = .point
            return reading
        case (.point, 0x30...0x39): return append(byte, behindPoint: 0, to: reading)
        case (.fraction(let count), 0x30...0x39) where count < digits.fraction:
            return append(byte, behindPoint: count, to: reading)
        default: return nil
        }
    }

    private func append(_ byte: UInt8, at place: Int, to reading: Reading) -> Reading {
        var reading = reading
        reading.phase = .whole(place + 1)
        reading.isZero = false
        reading.rest = (reading.rest * 10 + Int(byte - 0x30)) % divisor
        for (index, bound) in bounds.enumerated() where reading.orders[index] == 0 {
            if let bound, place < bound.whole.count { reading.orders[index] = Self.order(byte, bound.whole[place]) }
        }
        return reading
    }

    private func append(_ byte: UInt8, behindPoint place: Int, to reading: Reading) -> Reading {
        var reading = reading
        reading.phase = .fraction(place + 1)
        if byte != 0x30 { reading.isZero = false }
        for (index, bound) in bounds.enumerated() where reading.orders[index] == 0 {
            guard let bound else { continue }
            reading.orders[index] = Self.order(byte, place < bound.fraction.count ? bound.fraction[place] : 0x30)
        }
        return reading
    }

    private static func order(_ left: UInt8, _ right: UInt8) -> Int8 { left < right ? -1 : left > right ? 1 : 0 }

    /// How the digits in front of the point compare: the longer number is greater.
    private func wholeOrder(_ reading: Reading, _ index: Int, _ bound: Bound?) -> Int8 {
        guard let bound else { return 0 }
        let count = if case .whole(let count) = reading.phase { count } else { 0 }
        if count != bound.whole.count { return count < bound.whole.count ? -1 : 1 }
        return reading.orders[index]
    }

    /// Whether what is read is a number in the range.
    func isEnd(_ reading: Reading) -> Bool {
        let fractionDigits: Int
        switch reading.phase {
        case .start, .sign, .point: return false
        case .zero, .whole: fractionDigits = 0
        case .fraction(let count): fractionDigits = count
        }
        if reading.rest != 0 { return false }
        for (index, bound) in bounds.enumerated() {
            guard let bound else { continue }
            var order = reading.orders[index]
            if fractionDigits == 0 { order = wholeOrder(reading, index, bound) }
            if order == 0, bound.fraction.count > fractionDigits { order = -1 }
            // From sizes to values: signs decide first.
            let isNegative = reading.isNegative && !reading.isZero
            if isNegative != bound.isNegative {
                order = isNegative ? -1 : 1
            } else if isNegative {
                order = -order
            }
            if order == 0 ? bound.isExclusive : (order < 0) == (index == 0) { return false }
        }
        return true
    }
}
