import MinkeFiles

/// What a plan says: tables, what they assume, what to be careful with; as text, JSON or a page.
public struct PlanReport: Sendable {
    /// Figures under a heading. The first column names the row.
    public struct Table: Sendable {
        public var title: String
        public var columns: [String]
        public var rows: [[String]]

        public init(_ title: String, columns: [String] = [], rows: [[String]]) {
            self.title = title
            self.columns = columns
            self.rows = rows
        }
    }

    public var title: String
    /// The figures that answer the question, in words.
    public var headline: String
    public var tables: [Table]
    public var assumptions: [Assumption]
    public var warnings: [String]
    public var plots: [PlanPlot] = []
    /// SVG elements for the page alone, as wide as it is.
    public var drawings: [String] = []
    /// Sentences for the page alone, below the tables.
    public var notes: [String] = []
    /// The figures without units in their values: keys carry them.
    public var figures: JSON.Object

    public init(
        title: String, headline: String, tables: [Table], assumptions: [Assumption], warnings: [String],
        figures: JSON.Object
    ) {
        self.title = title
        self.headline = headline
        self.tables = tables
        self.assumptions = assumptions
        self.warnings = warnings
        self.figures = figures
    }
}

/// A figure that a plan rests on, where it comes from, and how to change it.
public struct Assumption: Sendable {
    public var name: String
    public var value: String
    /// Where it comes from, with its date where it ages.
    public var source: String
    /// How the reader changes it.
    public var option: String

    /// The source of what the user has set.
    public static let user = "the user"

    /// The options by their names.
    var options: [String] { option.split(separator: ",").map { String($0.drop { $0 == " " }) } }

    public init(_ name: String, _ value: String, source: String, option: String) {
        self.name = name
        self.value = value
        self.source = source
        self.option = option
    }
}

extension PlanReport {
    /// The same report, which says of each figure that one of these options has set who set it.
    public func choosing(_ options: Set<String>) -> PlanReport {
        var report = self
        for (index, assumption) in assumptions.enumerated() where assumption.source != Assumption.user {
            guard !options.isDisjoint(with: assumption.options) else { continue }
            report.assumptions[index].source = "\(Assumption.user); otherwise: \(assumption.source)"
        }
        return report
    }

    /// One object: the figures, then `assumptions` and `warnings`.
    public var json: JSON {
        var json = figures
        json["assumptions"] = .array(
            assumptions.map {
                [
                    "name": .string($0.name), "value": .string($0.value), "source": .string($0.source),
                    "option": .string($0.option),
                ]
            })
        json["warnings"] = .array(warnings.map { .string($0) })
        return .object(json)
    }

    /// Tables for a terminal.
    public var text: String {
        var lines = [title, headline]
        for table in tables {
            lines += ["", table.title]
            lines += Self.aligned(table)
        }
        if !assumptions.isEmpty {
            lines += ["", "assumed (change it with)"]
            let width = assumptions.map(\.name.count).max() ?? 0
            let values = assumptions.map(\.value.count).max() ?? 0
            lines += assumptions.map {
                "  \(Self.padded($0.name, width))  \(Self.padded($0.value, values))  \($0.option): \($0.source)"
            }
        }
        if !warnings.isEmpty { lines += [""] + warnings.map { "warning: \($0)" } }
        return lines.joined(separator: "\n")
    }

    /// Rows with the first column on the left and the others, where there are several, on the right.
    private static func aligned(_ table: Table) -> [String] {
        let rows = (table.columns.isEmpty ? [] : [table.columns]) + table.rows
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 || table.columns.isEmpty ? cell + space : space + cell
            }
            var line = "  " + cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
