import ArgumentParser
import Foundation
import Server

/// `trinity complete`: goes on with a text, without a server.
struct Complete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Go on with a text.", discussion: "The text is the argument, or standard input without one.")

    @OptionGroup var options: ConsoleOptions
    @Argument(help: "The text to go on with.")
    var text: String?

    func run() throws {
        let console = try options.console()
        try console.complete(
            text ?? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
    }
}
