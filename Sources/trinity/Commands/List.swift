import ArgumentParser
import Basics
import Foundation
import Hub

/// `trinity list`: lists the models in the cache.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the models in the Hugging Face cache.")

    @Flag(help: "Print one JSON array instead of a table.")
    var json = false

    func run() throws {
        let hub = Hub.fromEnvironment()
        let models = hub.list()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(models.flatMap(Row.rows)), as: UTF8.self))
        } else if models.isEmpty {
            print("no models in \(hub.cacheFolder)")
        } else {
            for row in models.flatMap(Row.rows) { row.printLines() }
        }
    }

    /// One revision of a model.
    private struct Row: Encodable {
        var repository: String
        var commit: String?
        var names: [String]
        var bytes: Int
        var files: [String: Int]
        var incompleteBytes: Int

        static func rows(_ model: CachedModel) -> [Row] {
            guard !model.revisions.isEmpty else {
                return [
                    Row(
                        repository: model.repository, names: [], bytes: 0, files: [:],
                        incompleteBytes: model.incompleteBytes)
                ]
            }
            return model.revisions.map { revision in
                Row(
                    repository: model.repository, commit: revision.commit, names: revision.names, bytes: revision.bytes,
                    files: Dictionary(revision.files.map { ($0.path, $0.bytes) }) { first, _ in first },
                    incompleteBytes: model.incompleteBytes)
            }
        }

        func printLines() {
            let revision = [commit.map { String($0.prefix(12)) } ?? "no revision"] + names.map { $0.printable() }
            let rest = incompleteBytes > 0 ? ", \(ByteCount(incompleteBytes)) incomplete" : ""
            print("\(repository)  \(revision.joined(separator: " "))  \(ByteCount(bytes))\(rest)")
            for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
                print("    \(path.printable())  \(ByteCount(bytes))")
            }
        }
    }
}
