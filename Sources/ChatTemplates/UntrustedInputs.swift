import Basics
import JSON

/// The inputs of a template whose text comes from people or programs and must not contain special tokens.
public struct UntrustedInputs: Sendable, Hashable {
    /// The variables that are untrusted, including all their contents, such as `tools`.
    public var variables: Set<String>
    /// The indices of the elements of `messages` that are untrusted, including all their contents except `role`, which some
    /// templates turn into a special token.
    public var messages: Set<Int>

    /// All inputs are trusted.
    public static let none = UntrustedInputs()

    public init(variables: Set<String> = [], messages: Set<Int> = []) {
        (self.variables, self.messages) = (variables, messages)
    }
}

extension UntrustedInputs {
    /// Returns the variable `name` as a template value.
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
