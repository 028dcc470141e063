import ArgumentParser
import Foundation
import Server

/// `trinity tokenize`: runs a tokenizer for scripts, one line at a time.
struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encode or decode each line of JSON on standard input.",
        discussion: """
            {"text": "...", "add_special_tokens": true, "special_as_text": false} prints {"ids": [...]}.
            {"ids": [...], "skip_special_tokens": false} prints {"text": "...", "pieces": [...]}.
            An invalid line prints {"error": "..."}.
            """)

    @Option(help: ArgumentHelp("Path of tokenizer.json or of its folder.", valueName: "path"))
    var tokenizer: String

    func run() throws {
        try TokenizeScript(path: tokenizer).run()
    }
}

extension LineScript {
    /// Processes standard input and writes to standard output.
    func run() throws {
        try run(from: .standardInput, to: .standardOutput)
    }
}
