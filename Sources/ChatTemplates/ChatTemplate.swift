import Basics
import Foundation
import JSON

/// A model's chat template, compiled once. It supports the subset of Jinja that chat templates use, with Python's semantics.
///
/// Block tags remove their line (`trim_blocks` and `lstrip_blocks` are on), there is no HTML escaping, and values are immutable
/// except for `namespace()`. Templates are untrusted: their work, sizes and depth are bounded.
public struct ChatTemplate: Sendable {
    private let body: [TemplateStatement]
    /// The literal text of the template: text outside tags, and string literals with their escapes resolved.
    public let literals: [String]

    /// Compiles `source`.
    ///
    /// - Throws: `TemplateError.syntax` if the source is not a template of the supported subset.
    public init(source: String) throws(TemplateError) {
        let tokens = try TemplateLexer.tokens(of: source)
        literals = tokens.compactMap { token in
            switch token.kind {
            case .data(let text), .string(let text): text
            default: nil
            }
        }
        var parser = TemplateParser(tokens: tokens)
        body = try parser.parseTemplate()
    }

    /// Renders the template.
    ///
    /// - Parameters:
    ///   - variables: `messages`, `tools`, `add_generation_prompt`, `bos_token`, ... as JSON values. A member with the value
    ///     `null` is defined and none.
    ///   - now: the time of `strftime_now`, in the local time zone.
    /// - Throws: `TemplateError.raised` if the template rejects its input, otherwise `TemplateError.failed`.
    public func render(_ variables: JSONObject, now: Date = Date()) throws(TemplateError) -> String {
        try run(variables, .none, now).text
    }

    /// Renders the template and marks the parts of the text that may contain special tokens.
    ///
    /// The template's own text is trusted, and so is every variable except the `untrusted` ones. Substrings and concatenations
    /// keep the origin of each part, so the joined runs are equal to the result of ``render(_:now:)``. The result of any other
    /// operation (`upper`, `tojson`, ...) is untrusted as a whole if any of its strings is.
    ///
    /// - Returns: nonempty runs, alternately trusted and untrusted.
    /// - Throws: the same errors as ``render(_:now:)``.
    public func render(
        _ variables: JSONObject, untrusted: UntrustedInputs, now: Date = Date()
    ) throws(TemplateError) -> [TextRun] {
        let string = try run(variables, untrusted, now)
        return string.origin.runs(of: string.text)
    }

    private func run(
        _ variables: JSONObject, _ untrusted: UntrustedInputs, _ now: Date
    ) throws(TemplateError) -> TemplateString {
        let interpreter = TemplateInterpreter(variables: variables, untrusted: untrusted, now: now)
        defer { interpreter.releaseObjects() }
        do throws(TemplateFailure) {
            return try interpreter.run(body)
        } catch {
            switch error {
            case .raised(let message): throw .raised(message: message)
            case .failed(let message, let kind):
                throw .failed(message: message, line: interpreter.line, kind: kind)
            }
        }
    }
}
