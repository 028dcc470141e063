import ChatTemplates
import JSON
import TestSupport
import Testing

/// See ``CancellationStretches``.
@Suite(.serialized) struct TemplateCancellationTests {
    @Test(arguments: [
        "x | trim", "x | upper", "x | lower", "x | title", "x | capitalize", "x | reverse", "x | e", "x | urlencode",
        "x | striptags", "x | wordcount", "x | wordwrap(9)", "x | indent", "x | tojson", "x | replace('ab', 'c')",
        "x.split() | length", "x.split('b') | length", "x.split('b', 3) | length", "x.rsplit('b', 3) | length",
        "x.title()",
        "x.swapcase()", "x.splitlines() | length", "x.strip('<a b>')", "x.rfind('zz')", "x.count('ab')", "x[::-1]",
        "[x] | string", "x | list | length", "'zz' in x",
    ])
    func `a template checks for cancellation throughout a client's text`(expression: String) throws {
        let template = try ChatTemplate(source: "{{ \(expression) }}")
        let unit = ["x | trim", "x | wordwrap(9)"].contains(expression) ? " " : "<ab ab>\n"
        // The rendered text is freed at once.
        let share = expression.contains("list") || expression.contains("split") ? 0.5 : 0.25
        let variables: JSONObject = ["x": .string(hostileText(of: unit))]
        #expect(CancellationStretches.failure(of: { _ = try? template.render(variables) }, share: share) == nil)
    }
}
