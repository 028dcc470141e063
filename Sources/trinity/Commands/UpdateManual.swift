import ArgumentParser
import Foundation
import Server

/// `trinity update-manual`: writes the tables of options into docs/options.md.
struct UpdateManual: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replace the tables of options in a Markdown file.", shouldDisplay: false)

    @Argument(help: "Path of options.md.")
    var path: String

    func run() throws {
        let file = URL(fileURLWithPath: path)
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(OptionManual.update(text).utf8).write(to: file)
    }
}
