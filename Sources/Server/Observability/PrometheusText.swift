/// Writes metrics in Prometheus's text format, version 0.0.4.
struct PrometheusText {
    /// The media type of the format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let labels: [(name: String, value: String)]
    private(set) var text = ""

    /// - Parameter labels: put on every sample.
    init(labels: [(name: String, value: String)]) {
        self.labels = labels
    }

    mutating func write(_ counter: Counter) {
        header(counter.name, "counter", counter.help)
        for (value, count) in counter.values {
            sample(counter.name, counter.label.map { [($0, value)] } ?? [], String(count))
        }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        header(name, "gauge", help)
        sample(name, [], number(value))
    }

    /// A gauge split by labels.
    mutating func gauge(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Double)]) {
        header(name, "gauge", help)
        for (labels, value) in values { sample(name, labels, number(value)) }
    }

    /// A counter that another part keeps.
    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        header(name, "counter", help)
        sample(name, [], String(value))
    }

    /// A counter split by labels, of other things than whole numbers.
    mutating func counter(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Double)]) {
        header(name, "counter", help)
        for (labels, value) in values { sample(name, labels, number(value)) }
    }

    mutating func write(_ histogram: Histogram) {
        header(histogram.name, "histogram", histogram.help)
        var cumulative: UInt64 = 0
        for (bound, count) in zip(histogram.bounds + [.infinity], histogram.counts) {
            cumulative += count
            sample(histogram.name + "_bucket", [("le", number(bound))], String(cumulative))
        }
        sample(histogram.name + "_sum", [], number(histogram.sum))
        sample(histogram.name + "_count", [], String(cumulative))
    }

    private mutating func header(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ own: [(String, String)], _ value: String) {
        let all = (labels + own.map { (name: $0.0, value: $0.1) })
            .map { "\($0.name)=\"\(escape($0.value))\"" }.joined(separator: ",")
        text += all.isEmpty ? "\(name) \(value)\n" : "\(name){\(all)} \(value)\n"
    }

    private func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.description
    }

    private func escape(_ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
