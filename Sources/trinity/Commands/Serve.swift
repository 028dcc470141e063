import ArgumentParser
import Dispatch
import Foundation
import Server

/// `trinity serve`: starts to listen, loads the model, and serves requests until SIGTERM.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a model over HTTP.",
        discussion: """
            Every option can also be set in the environment (TRINITY_MAX_MODEL_LEN for --max-model-len) and in a file (--config, \
            {"max-model-len": 4096}). The command line overrides the environment, and the environment overrides the file; \
            trinity config prints the resulting values. A size is a number of bytes, or has a binary unit: 512MiB, 4GiB. A time \
            has a unit: 200ms, 1.5s, 2m, 1h.

            The server answers 503 until the model is loaded; then GET /ready returns 200. On SIGTERM, it refuses new requests \
            and lets running requests finish.
            """)

    @OptionGroup var options: ServerOptions

    func validate() throws {
        _ = try options.configuration()
    }

    /// Runs the server and exits the process, with code 0 after a normal shutdown.
    func run() throws {
        let configuration = try options.configuration()
        Task {
            do {
                try await Application.run(configuration)
                Foundation.exit(0)
            } catch {
                Application.writeError("trinity: \(error)\n")
                Foundation.exit((error as? ApplicationError)?.exitCode ?? 1)
            }
        }
        dispatchMain()
    }
}
