/// The costs of one or more runs side by side, one row a unit, in words for people.
public struct CostTable: Equatable, Sendable {
    /// A measured quantity and its value in each run.
    public struct Row: Equatable, Sendable {
        public var quantity: String
        public var values: [String]
        /// How the number came about, for those that are no plain measurement.
        public var note: String
    }

    /// The runs' names.
    public var names: [String]
    public var rows: [Row]

    /// - Parameters:
    ///   - costs: the runs with their names.
    ///   - price: the price that the dollars came from; it is said beside them.
    public init(_ costs: [(name: String, cost: Cost)], price: Price) {
        names = costs.map(\.name)
        func row(_ quantity: String, note: String = "", _ value: (Cost) -> String) -> Row {
            Row(quantity: quantity, values: costs.map { value($0.cost) }, note: note)
        }
        var sources: [String] = []
        for source in costs.map(\.cost.joulesSource) where !source.isEmpty && !sources.contains(source) {
            sources.append(source)
        }
        rows = [
            row("CPU time", note: "training, user + system, all threads") { HumanFormat.duration($0.cpuSeconds) },
            row("CPU time, evaluation", note: "validation, beside training") {
                HumanFormat.duration($0.evaluationCPUSeconds)
            },
            row("wall time") { HumanFormat.duration($0.wallSeconds) },
            row("computation", note: "model FLOPs, counted from the shapes") { HumanFormat.flops($0.flops) },
            row("tokens") { HumanFormat.count(Double($0.tokens)) },
            row("peak memory") { HumanFormat.bytes($0.peakMemoryBytes) },
            row("energy", note: sources.map(Self.words).joined(separator: "; ")) { HumanFormat.joules($0.joules) },
            row("money", note: price.assumption) { HumanFormat.dollars($0.dollars) },
        ]
    }

    private static func words(_ source: String) -> String {
        source == "rapl" ? "counted by the processor (RAPL), whole machine" : source
    }

    /// The table as lines of text with aligned columns.
    public var text: String {
        let cells = [[""] + names + [""]] + rows.map { [$0.quantity] + $0.values + [$0.note] }
        let widths = (0...names.count).map { column in cells.map { $0[column].count }.max() ?? 0 }
        let lines = cells.map { row in
            var line = ""
            for (column, width) in widths.enumerated() {
                let padding = String(repeating: " ", count: width - row[column].count)
                line += column == 0 ? row[column] + padding : "  " + padding + row[column]
            }
            if let note = row.last, !note.isEmpty { line += "  " + note }
            return line
        }
        return lines.joined(separator: "\n")
    }
}
