/// A node of a template's tree: text or a tag.
struct TemplateStatement: Sendable {
    let kind: Kind
    /// The line in which the statement begins, counted from 1.
    let line: Int

    indirect enum Kind: Sendable {
        case text(TemplateString)
        case output(TemplateExpression)
        case conditional(
            branches: [(condition: TemplateExpression, body: [TemplateStatement])], else: [TemplateStatement])
        case loop(Loop)
        case set(Target, TemplateExpression)
        case setBlock(Target, filters: [TemplateExpression.Filter], body: [TemplateStatement])
        case macro(Macro)
        /// `{% call(parameters) callee(...) %}body{% endcall %}`: the callee receives the body as `caller`.
        case call(TemplateExpression, TemplateExpression.Arguments, caller: Macro)
        case filter([TemplateExpression.Filter], body: [TemplateStatement])
        /// A separate scope with some variables: `{% with %}`, `{% generation %}`.
        case scope([(target: Target, value: TemplateExpression)], body: [TemplateStatement])
        case `break`
        case `continue`
    }

    struct Loop: Sendable {
        let target: Target
        let sequence: TemplateExpression
        let condition: TemplateExpression?
        let isRecursive: Bool
        let body: [TemplateStatement]
        let otherwise: [TemplateStatement]
    }

    indirect enum Target: Sendable {
        case variable(String)
        /// An attribute of a `namespace()`.
        case member(of: String, name: String)
        case tuple([Target])
    }

    struct Macro: Sendable {
        let name: String
        let parameters: [(name: String, default: TemplateExpression?)]
        let body: [TemplateStatement]
        /// The names in the body. Only a macro that uses `varargs`, `kwargs` or `caller` accepts them.
        let mentions: Set<String>
    }
}
