import ArgumentParser
import Foundation
import Server

/// `trinity tokenize`: a tokenizer for scripts, a line at a time.
struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encode and decode lines of JSON from standard input.",
        discussion: """
            {"text": "...", "add_special_tokens": true, "special_as_text": false} gives {"ids": [...]}.
            {"ids": [...], "skip_special_tokens": false} gives {"text": "...", "pieces": [...]}.
            A bad line gives {"error": "..."}.
            """)

    @Option(help: ArgumentHelp("A tokenizer.json, or the folder that has one.", valueName: "path"))
    var tokenizer: String

    func run() throws {
        try TokenizeScript(path: tokenizer).run()
    }
}

extension LineScript {
    /// Answers standard input on standard output.
    func run() throws {
        try run(from: .standardInput, to: .standardOutput)
    }
}
