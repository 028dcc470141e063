import ArgumentParser
import Foundation
import Server

/// `trinity config`: checks the options of `trinity serve` and prints them.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the options of trinity serve and print their values.",
        discussion: """
            Reads the options, the environment and the file of trinity serve, and prints each value with its source. Secrets are \
            hidden. With --json, prints a file for --config with the options that are set, without secrets.
            """)

    @OptionGroup var options: ServerOptions
    @Flag(help: "Print a file for --config.")
    var json = false

    func validate() throws {
        _ = try options.configuration()
    }

    func run() throws {
        let configuration = try options.configuration()
        for variable in configuration.unknownVariables {
            Application.writeError("warning: ignoring unknown environment variable \(variable)\n")
        }
        for name in json ? configuration.omittedSecrets : [] {
            Application.writeError(
                "warning: --\(name) is a secret and was left out; set it when you start the server\n")
        }
        print(json ? configuration.fileText : configuration.table)
    }
}
