import MinkeFiles

/// Passes text on as it comes, up to the first stop string, and holds back what may be the beginning of one.
public struct StopStringFilter: Sendable {
    private let strings: [[UInt8]]
    private var held: [UInt8] = []
    /// The stop string that came; nothing passes after it.
    public private(set) var stopString: String?
    /// Whether a stop string has come.
    public var isStopped: Bool { stopString != nil }

    /// - Throws: ``InputError`` when one is empty.
    public init(_ strings: [String]) throws {
        guard strings.allSatisfy({ !$0.isEmpty }) else { throw InputError("a stop string is empty") }
        self.strings = strings.map { Array($0.utf8) }
    }

    /// Takes more text, in whole characters, and returns what may be shown now.
    public mutating func append(_ text: String) -> String {
        if isStopped { return "" }
        if strings.isEmpty { return text }
        held += text.utf8
        for start in held.indices {
            let rest = held[start...]
            if let string = strings.first(where: { rest.starts(with: $0) }) {
                stopString = String(decoding: string, as: UTF8.self)
                return release(start)
            }
            // One that begins earlier must be decided before one that begins here.
            if strings.contains(where: { $0.starts(with: rest) }) { return release(start) }
        }
        return release(held.count)
    }

    /// Returns what was held back, when no more text comes.
    public mutating func finish() -> String { isStopped ? "" : release(held.count) }

    private mutating func release(_ count: Int) -> String {
        defer { held.removeFirst(count) }
        return String(decoding: held[..<count], as: UTF8.self)
    }
}
