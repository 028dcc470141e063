import ArgumentParser
import Server

/// `trinity render`: renders a chat template for scripts, one line at a time.
struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Render a chat template for each line of JSON on standard input.",
        discussion: """
            A line {"messages": [...], ...} prints {"text": "..."} or {"error": "...", "error_type": "..."}. Errors that the \
            template raises have the type TemplateError.
            """)

    @Option(help: ArgumentHelp("Chat template file.", valueName: "file"))
    var template: String
    @Option(
        help: ArgumentHelp(
            "Current time for the template, such as 2024-07-26T15:04:05 (default: now).", valueName: "time"))
    var now: String?

    func run() throws {
        try RenderScript(path: template, now: now).run()
    }
}
