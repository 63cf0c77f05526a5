/// Finds the matches of a ``SplitExpression`` in one text after the other.
///
/// Matching backtracks, in the order of Perl and Oniguruma. Ordinary expressions backtrack a few steps a match; once the
/// work on a text passes a multiple of its length, the matcher notes which states have failed and enters none twice, so
/// no expression takes more than (length of text × length of expression) steps.
struct ExpressionMatcher {
    private let expression: SplitExpression
    private var text = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var start = 0
    private var end = 0
    private var position = 0

    /// States to go back to: `instruction` at `position`, then at every scalar boundary down to `lowest`.
    private struct Alternative {
        var instruction: Int32
        var position: Int
        var lowest: Int
    }
    private var alternatives: [Alternative] = []

    private var work = 0
    private var permittedWork = 0
    /// One bit for each instruction and position that was tried, once the permitted work is done.
    private var tried: [UInt64] = []

    init(_ expression: SplitExpression) { self.expression = expression }

    /// Turns to the text at `range` of `text`, which must stay valid until the last match is found.
    mutating func begin(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        self.text = text
        start = range.lowerBound
        end = range.upperBound
        position = start
        work = 0
        permittedWork = 32 * range.count + 1_000
        if !tried.isEmpty { tried = [] }
    }

    /// The next match, which is never empty.
    mutating func next() -> Range<Int>? {
        while position < end {
            let first = position
            let (scalar, length) = scalar(at: first)
            if expression.sets.contains(expression.firstSet, scalar), let last = match(at: first) {
                position = last
                return first..<last
            }
            position = first + length
        }
        return nil
    }

    @inline(__always)
    private func scalar(at position: Int) -> (UInt32, Int) {
        let byte = text[position]
        return byte < 0x80 ? (UInt32(byte), 1) : decodeScalar(text, position, end)
    }

    /// Whether there is a scalar of the set at `position`, and its length.
    @inline(__always)
    private func member(of set: Int32, at position: Int) -> Int? {
        guard position < end else { return nil }
        let (scalar, length) = scalar(at: position)
        return expression.sets.contains(set, scalar) ? length : nil
    }

    private mutating func match(at first: Int) -> Int? {
        alternatives.removeAll(keepingCapacity: true)
        var instruction = 0
        var position = first
        while true {
            if let next = step(instruction, &position) {
                if next < 0 { return position }
                instruction = next
            } else {
                guard let last = alternatives.last else { return nil }
                instruction = Int(last.instruction)
                position = last.position
                if last.position == last.lowest {
                    alternatives.removeLast()
                } else {
                    alternatives[alternatives.count - 1].position = boundary(before: last.position)
                }
                work += 1
                if work > permittedWork, tried.isEmpty { tried = emptyRecord() }
            }
        }
    }

    /// Executes one instruction. Returns the number of the next one, -1 after a match, `nil` on failure.
    @inline(__always)
    private mutating func step(_ number: Int, _ position: inout Int) -> Int? {
        let instruction = expression.program[number]
        switch instruction.operation {
        case .set:
            guard let length = member(of: instruction.set, at: position) else { return nil }
            position += length
            return number + 1
        case .loop:
            if !tried.isEmpty, instruction.limit == .max {
                // One scalar at a time, so that runs that overlap are walked once.
                guard isFirstVisit(number, position) else { return nil }
                guard let length = member(of: instruction.set, at: position) else { return number + 1 }
                push(number + 1, position, lowest: position)
                position += length
                return number
            }
            let lowest = position
            var previous = position
            var remaining = instruction.limit
            while remaining > 0, let length = member(of: instruction.set, at: position) {
                previous = position
                position += length
                remaining -= 1
            }
            work += position - lowest
            if position > lowest { push(number + 1, previous, lowest: lowest) }
            return number + 1
        case .possessiveLoop:
            if !tried.isEmpty, instruction.limit == .max {
                guard isFirstVisit(number, position) else { return nil }
                guard let length = member(of: instruction.set, at: position) else { return number + 1 }
                position += length
                return number
            }
            let lowest = position
            var remaining = instruction.limit
            while remaining > 0, let length = member(of: instruction.set, at: position) {
                position += length
                remaining -= 1
            }
            work += position - lowest
            return number + 1
        case .branch:
            if instruction.set >= 0, member(of: instruction.set, at: position) == nil { return Int(instruction.target) }
            if !tried.isEmpty, !isFirstVisit(number, position) { return nil }
            push(Int(instruction.target), position, lowest: position)
            return number + 1
        case .jump: return Int(instruction.target)
        case .lookahead: return holds(expression.lookaheads[Int(instruction.target)], at: position) ? number + 1 : nil
        case .lineStart:
            return position == start || (text[position - 1] == UInt8(ascii: "\n") && position < end) ? number + 1 : nil
        case .lineEnd: return position == end || text[position] == UInt8(ascii: "\n") ? number + 1 : nil
        case .match: return -1
        }
    }

    private mutating func push(_ instruction: Int, _ position: Int, lowest: Int) {
        alternatives.append(Alternative(instruction: Int32(instruction), position: position, lowest: lowest))
    }

    private func holds(_ lookahead: SplitExpression.Lookahead, at position: Int) -> Bool {
        let isFollowed = lookahead.alternatives.contains { sets in
            var position = position
            for set in sets {
                guard let length = member(of: set, at: position) else { return false }
                position += length
            }
            return true
        }
        return isFollowed != lookahead.isNegated
    }

    /// The start of the scalar that ends at `position`, decoded as going forward would.
    private func boundary(before position: Int) -> Int {
        if text[position - 1] < 0x80 { return position - 1 }
        for length in 2...4 where position - length >= start && text[position - length] >= 0xC0 {
            return decodeScalar(text, position - length, end).1 == length ? position - length : position - 1
        }
        return position - 1
    }

    private func emptyRecord() -> [UInt64] {
        [UInt64](repeating: 0, count: (end - start + 1) * expression.program.count / 64 + 1)
    }

    /// Notes a visit of a state; a second one can only fail as the first did.
    private mutating func isFirstVisit(_ instruction: Int, _ position: Int) -> Bool {
        let bit = (position - start) * expression.program.count + instruction
        let mask: UInt64 = 1 << UInt64(bit & 63)
        if tried[bit >> 6] & mask != 0 { return false }
        tried[bit >> 6] |= mask
        return true
    }
}
