/// Writes metrics in Prometheus's text format, version 0.0.4.
struct PrometheusText {
    /// The media type of the format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The labels of every sample in their written form, followed by a comma if others can follow.
    private let labels: [UInt8]
    private(set) var bytes: [UInt8] = []

    /// - Parameter labels: the labels of every sample.
    init(labels: [(name: String, value: String)]) {
        var bytes: [UInt8] = []
        for (name, value) in labels { Self.write(name, value, to: &bytes) }
        self.labels = bytes
    }

    /// The text so far.
    var text: String { String(decoding: bytes, as: UTF8.self) }

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

    /// A counter whose value is passed in.
    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        header(name, "counter", help)
        sample(name, [], String(value))
    }

    /// A counter split by labels, with values that need not be integers.
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

    /// Appends another text.
    mutating func append(_ other: PrometheusText) {
        bytes += other.bytes
    }

    private mutating func header(_ name: String, _ type: String, _ help: String) {
        bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n".utf8
    }

    private mutating func sample(_ name: String, _ own: [(String, String)], _ value: String) {
        bytes += name.utf8
        let start = bytes.count
        bytes += labels
        for (name, value) in own { Self.write(name, value, to: &bytes) }
        if bytes.count > start {
            bytes.insert(UInt8(ascii: "{"), at: start)
            // Replaces the last comma.
            bytes[bytes.count - 1] = UInt8(ascii: "}")
        }
        bytes.append(UInt8(ascii: " "))
        bytes += value.utf8
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func write(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes += name.utf8
        bytes += "=\"".utf8
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            default: bytes.append(byte)
            }
        }
        bytes += "\",".utf8
    }

    private func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.description
    }
}
