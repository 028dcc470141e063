import Basics
import JSON

/// Which variables of a template come from people or programs whose text must not contain special tokens.
public struct UntrustedInputs: Sendable, Hashable {
    /// Variables that are untrusted with all their contents, such as `tools`.
    public var variables: Set<String>
    /// Elements of `messages` that are untrusted with all their contents except their `role`: some templates turn that into a
    /// special token.
    public var messages: Set<Int>

    /// Everything is trusted.
    public static let none = UntrustedInputs()

    public init(variables: Set<String> = [], messages: Set<Int> = []) {
        (self.variables, self.messages) = (variables, messages)
    }
}

extension UntrustedInputs {
    /// The variable `name` as a template value.
    func value(_ json: JSONValue, ofVariable name: String) -> TemplateValue {
        guard !variables.contains(name) else { return TemplateValue(json, isTrusted: false) }
        guard name == "messages", !self.messages.isEmpty, case .array(let messages) = json else {
            return TemplateValue(json, isTrusted: true)
        }
        var values: [TemplateValue] = []
        values.reserveCapacity(messages.count)
        for (index, message) in messages.enumerated() {
            if index % 256 == 255, Cancellation.isRequested { break }
            let isUntrusted = self.messages.contains(index)
            values.append(isUntrusted ? Self.untrusted(message) : TemplateValue(message, isTrusted: true))
        }
        return .list(values)
    }

    private static func untrusted(_ message: JSONValue) -> TemplateValue {
        guard case .object(let members) = message else { return TemplateValue(message, isTrusted: false) }
        return .dictionary(TemplateDictionary(members) { $0 == "role" })
    }
}
