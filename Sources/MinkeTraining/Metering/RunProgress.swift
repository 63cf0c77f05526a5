/// How far a run is and how it goes: what a ``ProgressDisplay`` shows. What is `nil` is left out.
public struct RunProgress: Equatable, Sendable {
    public var step: Int
    public var totalSteps: Int
    /// Training loss in nats per token.
    public var loss: Double?
    public var bitsPerByte: Double?
    public var tokensPerSecond: Double?
    /// Model FLOPs per second.
    public var flopsPerSecond: Double?
    /// The FLOPs per second that this machine reached when it was measured.
    public var peakFlopsPerSecond: Double?
    public var memoryBytes: Int?
    public var remainingSeconds: Double?
    /// Cost so far.
    public var dollars: Double?

    public init(
        step: Int, totalSteps: Int, loss: Double? = nil, bitsPerByte: Double? = nil, tokensPerSecond: Double? = nil,
        flopsPerSecond: Double? = nil, peakFlopsPerSecond: Double? = nil, memoryBytes: Int? = nil,
        remainingSeconds: Double? = nil, dollars: Double? = nil
    ) {
        self.step = step
        self.totalSteps = totalSteps
        self.loss = loss
        self.bitsPerByte = bitsPerByte
        self.tokensPerSecond = tokensPerSecond
        self.flopsPerSecond = flopsPerSecond
        self.peakFlopsPerSecond = peakFlopsPerSecond
        self.memoryBytes = memoryBytes
        self.remainingSeconds = remainingSeconds
        self.dollars = dollars
    }

    /// All of it on one line.
    public var text: String { fields.map(\.text).joined(separator: Self.gap) }

    /// What fits into `width` columns: the least important fields go first, and a bar takes the room that is left.
    public func line(width: Int) -> String {
        var fields = fields
        func length() -> Int { fields.reduce(-Self.gap.count) { $0 + $1.text.count + Self.gap.count } }
        while length() > width, fields.count > 1,
            let least = fields.indices.max(by: { fields[$0].rank < fields[$1].rank })
        {
            fields.remove(at: least)
        }
        let text = String(fields.map(\.text).joined(separator: Self.gap).prefix(max(0, width)))
        let room = width - text.count - 3
        guard room >= 8, totalSteps > 0 else { return text }
        let cells = min(room, 24)
        let done = Double(min(max(step, 0), totalSteps)) / Double(totalSteps)
        let filled = Int((done * Double(cells)).rounded(.down))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: cells - filled)
        return "[\(bar)] \(text)"
    }

    private static let gap = "  "

    /// The fields in the order they are shown; the higher the rank, the sooner a field gives way.
    private var fields: [(text: String, rank: Int)] {
        var fields = [("\(HumanFormat.grouped(step))/\(HumanFormat.grouped(totalSteps))", 0)]
        func add(_ text: String?, rank: Int) {
            if let text { fields.append((text, rank)) }
        }
        add(loss.map { "loss " + HumanFormat.fixed($0, 3) }, rank: 1)
        add(bitsPerByte.map { HumanFormat.fixed($0, 3) + " bits/byte" }, rank: 4)
        add(tokensPerSecond.map { HumanFormat.rate($0, "tok/s") }, rank: 3)
        add(speed, rank: 7)
        add(memoryBytes.map { HumanFormat.bytes($0) }, rank: 6)
        add(remainingSeconds.map { "ETA " + HumanFormat.duration($0) }, rank: 2)
        add(dollars.map { HumanFormat.dollars($0) }, rank: 5)
        return fields
    }

    private var speed: String? {
        guard let flopsPerSecond else { return nil }
        let text = HumanFormat.flops(flopsPerSecond) + "/s"
        guard let peakFlopsPerSecond, peakFlopsPerSecond > 0 else { return text }
        return text + " (\(HumanFormat.percent(flopsPerSecond / peakFlopsPerSecond)) of peak)"
    }
}
