/// Metrics in Prometheus' text format.
struct PrometheusText {
    private(set) var text = ""

    /// What may go up and down.
    mutating func gauge(_ name: String, _ help: String, _ value: some Numeric) {
        describe(name, help, "gauge")
        text += "\(name) \(value)\n"
    }

    /// What only goes up.
    mutating func counter(_ name: String, _ help: String, _ value: some Numeric) {
        describe(name, help, "counter")
        text += "\(name) \(value)\n"
    }

    /// A counter for each combination of labels.
    mutating func counters(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Int)]) {
        describe(name, help, "counter")
        for (labels, value) in values {
            let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
            text += "\(name){\(list)} \(value)\n"
        }
    }

    mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
        describe(name, help, "histogram")
        var count = 0
        for (bound, bucket) in zip(histogram.bounds, histogram.counts) {
            count += bucket
            text += "\(name)_bucket{le=\"\(bound)\"} \(count)\n"
        }
        count += histogram.counts.last ?? 0
        text += "\(name)_bucket{le=\"+Inf\"} \(count)\n\(name)_sum \(histogram.sum)\n\(name)_count \(count)\n"
    }

    private mutating func describe(_ name: String, _ help: String, _ type: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private static func escaped(_ text: String) -> String {
        String(text.flatMap { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) })
    }
}
