import ArgumentParser
import Foundation
import Server

/// `trinity serve`: listens at once, loads the model, answers until SIGTERM.
struct Serve: AsyncParsableCommand {
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

    func run() async throws {
        do {
            try await Application.run(try options.configuration())
        } catch {
            Application.writeError("trinity: \(error)\n")
            throw ExitCode(1)
        }
    }
}
