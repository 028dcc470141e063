import ChatTemplates
import Foundation
import JSON

/// Renders a chat template for scripts. Each input line is a context object, each output line is `{"text": ...}` or
/// `{"error": ..., "error_type": ...}`.
///
/// `error_type` is `TemplateError` if the template itself raised the error, otherwise the name of the reference engine's
/// exception (`UndefinedError`, `TypeError`, ...) or `InvalidLine` if the line is not a JSON object.
public struct RenderScript: LineScript {
    private let template: ChatTemplate
    private let now: Date?

    /// - Parameters:
    ///   - path: the template's file.
    ///   - now: the local time that the template sees, such as `2024-07-26T15:04:05`; `nil`: the real time.
    /// - Throws: `ScriptError` if the template cannot be loaded or the time is invalid.
    public init(path: String, now: String?) throws(ScriptError) {
        guard let source = try? String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8) else {
            throw ScriptError(reason: "\(path): cannot be read as UTF-8")
        }
        do throws(TemplateError) { template = try ChatTemplate(source: source) } catch {
            throw ScriptError(reason: "\(path): \(error.description)")
        }
        self.now = try now.map { text throws(ScriptError) in try Self.date(text) }
    }

    /// Returns the rendered text for the context in `line`, or an error.
    public func answer(_ line: [UInt8]) -> JSONLine {
        guard let context = (try? JSONValue(parsing: line))?.object else {
            return JSONLine(["error": "the line is not a JSON object", "error_type": "InvalidLine"])
        }
        do throws(TemplateError) {
            return JSONLine(["text": .string(try template.render(context, now: now ?? Date()))])
        } catch {
            return JSONLine([
                "error": .string(error.description), "error_type": .string(Self.type(of: error)),
            ])
        }
    }

    /// Returns the name of the exception that the reference engine raises.
    private static func type(of error: TemplateError) -> String {
        switch error {
        case .raised: "TemplateError"
        case .syntax: "TemplateSyntaxError"
        case .failed(_, _, .undefined): "UndefinedError"
        case .failed(_, _, .type): "TypeError"
        case .failed(_, _, .unknownName): "TemplateAssertionError"
        case .failed(_, _, .unsafe): "SecurityError"
        case .failed(_, _, .other): "TemplateRuntimeError"
        }
    }

    private static func date(_ text: String) throws(ScriptError) -> Date {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd'T'HH:mm:ss"
        guard let date = formatter.date(from: text) else {
            throw ScriptError(reason: "--now must be a time such as 2024-07-26T15:04:05; got '\(text)'")
        }
        return date
    }
}
