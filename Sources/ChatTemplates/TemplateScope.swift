/// The variables of a block. Each iteration of a loop has a new scope. `if` has no scope of its own.
final class TemplateScope {
    private var variables: [String: TemplateValue] = [:]
    private let parent: TemplateScope?

    init(parent: TemplateScope? = nil) { self.parent = parent }

    subscript(name: String) -> TemplateValue? {
        get {
            var scope: TemplateScope? = self
            while let current = scope {
                if let value = current.variables[name] { return value }
                scope = current.parent
            }
            return nil
        }
        set { variables[name] = newValue }
    }
}
