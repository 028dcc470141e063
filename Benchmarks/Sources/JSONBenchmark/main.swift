// The speed of JSON parsing compared with Foundation's two parsers and, if Python is installed, those of Python.
//
//     swift run --package-path Benchmarks -c release JSONBenchmark [PYTHON]
//
// MB/s of the text, the median of seven runs in the thread's CPU time, and the estimated peak memory of parsing in bytes.

import Foundation
import Glibc
import JSON

struct Document {
    let name: String
    let bytes: [UInt8]

    /// `unit` repeated up to `size` bytes, separated by commas.
    static func list(_ name: String, of unit: String, size: Int, _ opening: String = "[", _ closing: String = "]")
        -> Document
    {
        let count = max(1, size / (unit.utf8.count + 1))
        return Document(
            name: name,
            bytes: Array((opening + repeatElement(unit, count: count).joined(separator: ",") + closing).utf8))
    }
}

let prose = String(repeating: "The server reads a request, checks its limits, and answers. ", count: 12)
var ids: [String] = []
var state: UInt64 = 1
for _ in 0..<(8 << 20) / 7 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    ids.append(String(state >> 47))
}
let documents = [
    Document.list(
        "chat request, 1 MB", of: "{\"role\":\"user\",\"content\":\"\(prose)\\n\\\"quoted\\\"\"}", size: 1 << 20,
        "{\"model\":\"m\",\"messages\":[", "]}"),
    Document(name: "token ids, 8 MB", bytes: Array("[\(ids.joined(separator: ","))]".utf8)),
    Document.list("small objects, 8 MB", of: "{\"id\":17,\"name\":\"x\",\"ok\":true}", size: 8 << 20),
    Document.list("one string, 8 MB", of: prose, size: 8 << 20, "\"", "\""),
    Document.list("escapes, 8 MB", of: "a\\nb\\u00e9\\\"c\\t", size: 8 << 20, "\"", "\""),
    Document.list("doubles, 8 MB", of: "0.125,-1.5e3,3.14159", size: 8 << 20),
]

func seconds(_ body: () throws -> Void) rethrows -> Double {
    var times: [Double] = []
    for _ in 0..<7 {
        var start = timespec()
        var end = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start)
        try body()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
        times.append(Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9)
    }
    return times.sorted()[3]
}

/// Any JSON value, decoded with Foundation's decoder.
enum Anything: Decodable {
    case text(String)
    case number(Double)
    case bool(Bool)
    case list([Anything])
    case members([String: Anything])

    init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let list = try? value.decode([Anything].self) {
            self = .list(list)
        } else {
            self = .members(try value.decode([String: Anything].self))
        }
    }
}

func report(_ reader: String, _ document: Document, _ seconds: Double) {
    let speed = Double(document.bytes.count) / 1e6 / seconds
    print("  \(reader.padding(toLength: 22, withPad: " ", startingAt: 0)) \(String(format: "%8.1f", speed)) MB/s")
}

let python = CommandLine.arguments.dropFirst().first
for document in documents {
    print(document.name)
    let value = try JSONValue(parsing: document.bytes)
    report("JSONValue", document, try seconds { _ = try JSONValue(parsing: document.bytes) })
    report("JSONValue.serialized", document, seconds { _ = value.serialized })
    report("estimatedBytes", document, seconds { _ = JSONValue.estimatedBytes(of: document.bytes) })
    let data = Data(document.bytes)
    report(
        "JSONSerialization", document,
        try seconds { _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) })
    report("JSONDecoder", document, try seconds { _ = try JSONDecoder().decode(Anything.self, from: data) })
    if let python {
        let file = FileManager.default.temporaryDirectory.appending(path: "json-benchmark-\(getpid()).json")
        try data.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let program = """
            import sys, time, json
            data = open(sys.argv[1], "rb").read()
            readers = {"Python json": json.loads}
            try:
                import orjson
                readers["Python orjson"] = orjson.loads
            except ImportError: pass
            for name, read in readers.items():
                times = []
                for _ in range(7):
                    start = time.thread_time(); read(data); times.append(time.thread_time() - start)
                print("  %-22s %8.1f MB/s" % (name, len(data) / 1e6 / sorted(times)[3]), flush=True)
            """
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-c", program, file.path]
        try process.run()
        process.waitUntilExit()
    }
}
