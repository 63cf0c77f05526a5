/// Requests that wait: scopes take turns, and each scope's requests come in their order.
struct WaitingLine {
    private var lines: [String: [Ticket]] = [:]
    /// Scopes with requests, the next one first.
    private var turns: [String] = []
    private(set) var count = 0

    mutating func append(_ ticket: Ticket) {
        let scope = ticket.request.scope
        if lines[scope] == nil { turns.append(scope) }
        lines[scope, default: []].append(ticket)
        count += 1
    }

    mutating func popFirst() -> Ticket? {
        guard !turns.isEmpty else { return nil }
        let scope = turns.removeFirst()
        guard var line = lines.removeValue(forKey: scope), !line.isEmpty else { return nil }
        let ticket = line.removeFirst()
        count -= 1
        if !line.isEmpty {
            lines[scope] = line
            turns.append(scope)
        }
        return ticket
    }

    /// Takes a request out. Returns false if it does not wait.
    mutating func remove(_ ticket: Ticket) -> Bool {
        let scope = ticket.request.scope
        guard let index = lines[scope]?.firstIndex(where: { $0 === ticket }) else { return false }
        lines[scope]?.remove(at: index)
        count -= 1
        if lines[scope]?.isEmpty == true {
            lines[scope] = nil
            turns.removeAll { $0 == scope }
        }
        return true
    }

    mutating func removeAll() -> [Ticket] {
        defer { self = WaitingLine() }
        return turns.flatMap { lines[$0] ?? [] }
    }
}
