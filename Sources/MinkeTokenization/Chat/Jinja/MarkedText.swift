/// A string of a template that remembers of every character whether the template or a message wrote it.
///
/// The characters are Unicode scalars, as in Python. What is cut out, joined or changed keeps its origin.
struct MarkedText: Sendable {
    /// Set in units that come from outside.
    static let contentBit: UInt32 = 1 << 31
    /// Longest string that templates may make, in scalars.
    static let maximumCount = 1 << 22

    /// Scalar values, with ``contentBit`` for those from outside.
    private(set) var units: [UInt32]

    init(units: [UInt32] = []) { self.units = units }

    init(_ text: String, isTemplate: Bool) {
        let mark = isTemplate ? 0 : Self.contentBit
        units = text.unicodeScalars.map { $0.value | mark }
    }

    var count: Int { units.count }
    var isEmpty: Bool { units.isEmpty }
    /// The scalar values alone.
    var scalars: [UInt32] { units.map(Self.scalar) }
    /// Whether some of the text comes from outside.
    var hasContent: Bool { units.contains { $0 & Self.contentBit != 0 } }

    var text: String {
        var text = ""
        for unit in units { Self.append(unit, to: &text) }
        return text
    }

    /// The text in pieces of one origin.
    var prompt: ChatPrompt {
        var prompt = ChatPrompt()
        var start = 0
        while start < units.count {
            let mark = units[start] & Self.contentBit
            let end = units[start...].firstIndex { $0 & Self.contentBit != mark } ?? units.count
            var text = ""
            for unit in units[start..<end] { Self.append(unit, to: &text) }
            prompt.append(ChatPrompt.Piece(text, isTemplate: mark == 0))
            start = end
        }
        return prompt
    }

    static func scalar(_ unit: UInt32) -> UInt32 { unit & ~contentBit }

    private static func append(_ unit: UInt32, to text: inout String) {
        if let scalar = Unicode.Scalar(scalar(unit)) { text.unicodeScalars.append(scalar) }
    }

    static func + (left: MarkedText, right: MarkedText) -> MarkedText { MarkedText(units: left.units + right.units) }

    mutating func append(_ other: MarkedText) { units += other.units }

    subscript(range: Range<Int>) -> MarkedText { MarkedText(units: Array(units[range])) }

    /// A text that is to be treated as content as a whole when part of it is, as after changing its letters.
    func mapped(_ body: (String) -> String) -> MarkedText { MarkedText(body(text), isTemplate: !hasContent) }
}

extension MarkedText: Hashable {
    static func == (left: MarkedText, right: MarkedText) -> Bool {
        left.count == right.count && zip(left.units, right.units).allSatisfy { scalar($0) == scalar($1) }
    }

    func hash(into hasher: inout Hasher) {
        for unit in units { hasher.combine(Self.scalar(unit)) }
    }

    static func < (left: MarkedText, right: MarkedText) -> Bool {
        left.units.lazy.map(scalar).lexicographicallyPrecedes(right.units.lazy.map(scalar))
    }
}

// MARK: What Python's strings can do

extension MarkedText {
    /// The place of `pattern` at or behind `start`, found in time that grows with the length alone (Knuth, Morris, Pratt).
    func find(_ pattern: MarkedText, from start: Int = 0) -> Int? {
        guard count - start >= pattern.count else { return nil }
        let pattern = pattern.scalars
        if pattern.isEmpty { return start }
        // By length of what matched: the longest shorter beginning of the pattern that matches there as well.
        var shorter = [0]
        for scalar in pattern.dropFirst() {
            var length = shorter[shorter.count - 1]
            while length > 0, pattern[length] != scalar { length = shorter[length - 1] }
            shorter.append(pattern[length] == scalar ? length + 1 : 0)
        }
        var length = 0
        for place in start..<count {
            let scalar = Self.scalar(units[place])
            while length > 0, pattern[length] != scalar { length = shorter[length - 1] }
            if pattern[length] == scalar { length += 1 }
            if length == pattern.count { return place + 1 - length }
        }
        return nil
    }

    func starts(with pattern: MarkedText) -> Bool {
        count >= pattern.count && self[0..<pattern.count] == pattern
    }

    func ends(with pattern: MarkedText) -> Bool {
        count >= pattern.count && self[count - pattern.count..<count] == pattern
    }

    /// Without the characters of `set` at its ends; nil stands for white space.
    func stripped(_ set: MarkedText? = nil, left: Bool = true, right: Bool = true) -> MarkedText {
        let scalars = set.map { Set($0.scalars) }
        func isDropped(_ unit: UInt32) -> Bool {
            let value = Self.scalar(unit)
            return scalars?.contains(value) ?? Self.isWhiteSpace(value)
        }
        var range = units.indices
        while left, let first = range.first, isDropped(units[first]) { range = range.dropFirst() }
        while right, let last = range.last, isDropped(units[last]) { range = range.dropLast() }
        return self[range]
    }

    /// White space as Python's `str.isspace` has it.
    static func isWhiteSpace(_ value: UInt32) -> Bool {
        (0x1C...0x1F).contains(value) || Unicode.Scalar(value)?.properties.isWhitespace ?? false
    }

    /// The parts between occurrences of `separator`, at most `limit` of which are cut.
    func split(_ separator: MarkedText, limit: Int) -> [MarkedText] {
        var parts: [MarkedText] = []
        var start = 0
        while parts.count < limit, let place = find(separator, from: start) {
            parts.append(self[start..<place])
            start = place + separator.count
        }
        return parts + [self[start..<count]]
    }

    /// The same from the end.
    func splitFromEnd(_ separator: MarkedText, limit: Int) -> [MarkedText] {
        let reversed = MarkedText(units: units.reversed())
        return reversed.split(MarkedText(units: separator.units.reversed()), limit: limit).reversed().map {
            MarkedText(units: $0.units.reversed())
        }
    }

    /// The parts between runs of white space; what is left behind `limit` cuts is the last part.
    func splitAtWhiteSpace(limit: Int) -> [MarkedText] {
        var parts: [MarkedText] = []
        var place = 0
        while true {
            while place < count, Self.isWhiteSpace(Self.scalar(units[place])) { place += 1 }
            if place == count { return parts }
            if parts.count == limit { return parts + [self[place..<count]] }
            let start = place
            while place < count, !Self.isWhiteSpace(Self.scalar(units[place])) { place += 1 }
            parts.append(self[start..<place])
        }
    }

    /// The lines, without their ends.
    func lines(limit: Int) -> [MarkedText] {
        var parts = split(MarkedText("\n", isTemplate: true), limit: limit)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { $0.stripped(MarkedText("\r", isTemplate: true), left: false) }
    }

    /// What is left when every `pattern`, or the first `limit`, is taken out; an empty one is between all characters.
    func parts(around pattern: MarkedText, limit: Int) -> [MarkedText] {
        guard pattern.isEmpty else { return split(pattern, limit: limit) }
        return [MarkedText()] + units.map { MarkedText(units: [$0]) } + [MarkedText()]
    }

    /// The text many times over; nil when the result would be too long.
    func repeated(_ times: Int) -> MarkedText? {
        guard times > 0, !isEmpty else { return MarkedText() }
        guard times <= Self.maximumCount / count else { return nil }
        if count == 1 { return MarkedText(units: Array(repeating: units[0], count: times)) }
        var result = MarkedText()
        result.units.reserveCapacity(count * times)
        for _ in 0..<times { result.units += units }
        return result
    }

    /// The parts with `separator` between them; nil when the result would be too long.
    static func joined(_ parts: [MarkedText], separator: MarkedText) -> MarkedText? {
        var total = 0
        for part in parts { total += part.count }
        let (gaps, overflow) = max(0, parts.count - 1).multipliedReportingOverflow(by: separator.count)
        guard !overflow, total <= maximumCount, gaps <= maximumCount - total else { return nil }
        var result = MarkedText()
        for (index, part) in parts.enumerated() {
            if index > 0 { result.append(separator) }
            result.append(part)
        }
        return result
    }
}
