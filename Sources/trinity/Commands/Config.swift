import ArgumentParser
import Foundation
import Server

/// `trinity config`: checks the options as `trinity serve` would, and prints them.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a server's options and print what is in force, without secrets.",
        discussion: """
            Takes the options, the environment and the file of trinity serve, and says where each value comes from. With \
            --json the output is such a file, of what is not at its default.
            """)

    @OptionGroup var options: ServerOptions
    @Flag(help: "Print a file for --config.")
    var json = false

    func run() throws {
        let configuration = try options.configuration()
        print(json ? configuration.fileText : configuration.table)
    }
}
