import ArgumentParser
import Server

/// `trinity render`: a chat template for scripts, a line at a time.
struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Render a chat template for contexts, lines of JSON from standard input.",
        discussion: """
            A context {"messages": [...], ...} gives {"text": "..."} or {"error": "...", "error_type": "..."}; the type \
            of what the template itself raises is TemplateError.
            """)

    @Option(help: ArgumentHelp("File of a chat template.", valueName: "file"))
    var template: String
    @Option(help: ArgumentHelp("The template's clock, such as 2024-07-26T15:04:05 (default: now).", valueName: "time"))
    var now: String?

    func run() throws {
        try RenderScript(path: template, now: now).run()
    }
}
