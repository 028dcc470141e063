import ArgumentParser
import Foundation
import Server

/// The command `trinity` with its subcommands: `trinity serve` and the tools.
@main
struct Trinity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trinity",
        abstract: "Serve Arcee's Trinity models on CPUs through an OpenAI-compatible API.",
        version: Application.version,
        subcommands: [
            Serve.self, Config.self, Chat.self, Complete.self, Pull.self, List.self, Remove.self, Bench.self, Plan.self,
            Synth.self, Quantize.self, Evaluate.self, Needle.self, Train.self, Tokenize.self, Render.self,
            UpdateManual.self,
        ])

    /// The commands that run an engine.
    private static let engineCommands: Set = ["serve", "chat", "complete", "bench", "evaluate"]

    /// Runs the command in the arguments. It is synchronous, so that Dispatch and Swift concurrency are not used before the
    /// limits of the process are checked.
    static func main() {
        // `exit` would run the destructors of all libraries, and that of OpenBLAS waits for threads that may never have started,
        // for instance if the address space is limited. Buffered output is still written.
        on_exit(
            { status, _ in
                fflush(nil)
                _exit(status)
            }, nil)
        if let command = CommandLine.arguments.dropFirst().first, engineCommands.contains(command) {
            do throws(ProcessLimits.Shortage) {
                try ProcessLimits.current.check()
            } catch {
                _ = Array("trinity: \(error)\n".utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
                Foundation.exit(1)
            }
        }
        main(nil)
    }
}
