import ArgumentParser
import Foundation
import Server

/// `trinity complete`: completes a prompt, without a server.
struct Complete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Complete a prompt.", discussion: "The prompt is the argument, or standard input if there is none.")

    @OptionGroup var options: ConsoleOptions
    @Argument(help: "Prompt.")
    var prompt: String?

    func run() throws {
        let console = try options.console()
        try console.complete(
            prompt ?? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
    }
}
