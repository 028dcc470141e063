import ArgumentParser
import Dispatch
import Foundation
import Server

/// `trinity serve`: listens at once, loads the model, answers until SIGTERM.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a model over HTTP.",
        discussion: """
            Every option can also be set in the environment (--max-model-len is TRINITY_MAX_MODEL_LEN) and in a file (--config:
            {"max-model-len": 4096}). The option wins over the environment, the environment over the file; trinity config shows
            what is in force.
            The server answers 503 until the model is loaded; GET /ready tells. SIGTERM lets running requests finish.
            """)

    @OptionGroup var options: ServerOptions

    func validate() throws {
        _ = try options.configuration()
    }

    /// Ends the process, with code 0 once the server has ended as it was asked to.
    func run() throws {
        let configuration = try options.configuration()
        Task {
            do {
                try await Application.run(configuration)
                Foundation.exit(0)
            } catch {
                Application.writeError("trinity: \(error)\n")
                Foundation.exit(1)
            }
        }
        dispatchMain()
    }
}
