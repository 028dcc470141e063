/// Writes metrics in Prometheus's text format, version 0.0.4, one page for each scrape.
///
/// A metric that has not changed is copied from the previous page: of some 400 lines few change between two scrapes.
struct PrometheusText {
    /// The media type of the format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// A metric on a page. Metrics with variable labels are not cached.
    private struct Family {
        var name: String
        var value: Value
        /// Its bytes in the page.
        var range: Range<Int>
    }

    /// The value of a family, which together with its name determines its bytes.
    private enum Value: Equatable {
        case double(Double)
        case integer(UInt64)
        case counts([UInt64])
        case histogram([UInt64], sum: Double)
    }

    /// The labels of the samples in their written form, each followed by a comma.
    private let labels: [UInt8]
    private var hasLabels = true
    /// The current page.
    private(set) var bytes: [UInt8] = []
    /// The previous page.
    private var last: [UInt8] = []
    /// The families that are already on the current page, then those of the previous page.
    private var families: [Family] = []
    private var familyCount = 0

    /// - Parameter labels: the labels of every sample before ``omitLabels()``.
    init(labels: [(name: String, value: String)]) {
        var bytes: [UInt8] = []
        for (name, value) in labels { Self.write(name, value, to: &bytes) }
        self.labels = bytes
    }

    /// Starts the next page.
    mutating func startPage() {
        last = bytes
        bytes = []
        bytes.reserveCapacity(last.count + 512)
        // Families that the last page did not reach are on neither of the two pages.
        families.removeLast(families.count - familyCount)
        familyCount = 0
        hasLabels = true
    }

    /// Omits the labels of all further samples of the page.
    mutating func omitLabels() {
        hasLabels = false
    }

    /// The text of the current page.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func write(_ counter: Counter) {
        family(counter.name, .counts(counter.values.map(\.count))) { text in
            text.header(counter.name, "counter", counter.help)
            for (value, count) in counter.values {
                text.sample(counter.name, counter.label.map { [($0, value)] } ?? []) { $0.append(count) }
            }
        }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, .double(value)) { text in
            text.header(name, "gauge", help)
            text.sample(name, []) { $0.append(value) }
        }
    }

    /// A gauge split by labels.
    mutating func gauge(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Double)]) {
        header(name, "gauge", help)
        for (labels, value) in values { sample(name, labels) { $0.append(value) } }
    }

    /// A counter whose value is passed in.
    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        family(name, .integer(value)) { text in
            text.header(name, "counter", help)
            text.sample(name, []) { $0.append(value) }
        }
    }

    /// A counter split by labels, with values that need not be integers.
    mutating func counter(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Double)]) {
        header(name, "counter", help)
        for (labels, value) in values { sample(name, labels) { $0.append(value) } }
    }

    mutating func write(_ histogram: Histogram) {
        family(histogram.name, .histogram(histogram.counts, sum: histogram.sum)) { text in
            text.header(histogram.name, "histogram", histogram.help)
            var cumulative: UInt64 = 0
            for (index, count) in histogram.counts.enumerated() {
                cumulative += count
                let bound = index < histogram.bounds.count ? Self.text(histogram.bounds[index]) : "+Inf"
                text.sample(histogram.name, suffix: "_bucket", [("le", bound)]) { $0.append(cumulative) }
            }
            text.sample(histogram.name, suffix: "_sum", []) { $0.append(histogram.sum) }
            text.sample(histogram.name, suffix: "_count", []) { $0.append(cumulative) }
        }
    }

    /// Copies a family that has not changed since the previous page, or writes it.
    private mutating func family(_ name: String, _ value: Value, _ write: (inout PrometheusText) -> Void) {
        let start = bytes.count
        let index = familyCount
        familyCount += 1
        if index < families.count, families[index].name == name, families[index].value == value {
            bytes.append(contentsOf: last[families[index].range])
            families[index].range = start..<bytes.count
            return
        }
        write(&self)
        let family = Family(name: name, value: value, range: start..<bytes.count)
        if index < families.count { families[index] = family } else { families.append(family) }
    }

    private mutating func header(_ name: String, _ type: String, _ help: String) {
        bytes.append(contentsOf: "# HELP ".utf8)
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: help.utf8)
        bytes.append(contentsOf: "\n# TYPE ".utf8)
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: type.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func sample(
        _ name: String, suffix: String = "", _ own: [(String, String)], _ value: (inout [UInt8]) -> Void
    ) {
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: suffix.utf8)
        if hasLabels && !labels.isEmpty || !own.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            if hasLabels { bytes.append(contentsOf: labels) }
            for (name, value) in own { Self.write(name, value, to: &bytes) }
            // Replaces the last comma.
            bytes[bytes.count - 1] = UInt8(ascii: "}")
        }
        bytes.append(UInt8(ascii: " "))
        value(&bytes)
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func write(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: "=\"".utf8)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(contentsOf: "\",".utf8)
    }

    /// The text of a value or of a bucket's bound.
    fileprivate static func text(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.description
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ value: UInt64) { append(contentsOf: String(value).utf8) }

    fileprivate mutating func append(_ value: Double) { append(contentsOf: PrometheusText.text(value).utf8) }
}
