import Foundation
import JSON

extension ServedModel {
    /// The body of `GET /v1/models`.
    var listJSON: JSONValue {
        ["object": "list", "data": .array(names.map { named($0).json })]
    }

    /// The same in the form of Anthropic's API.
    var anthropicListJSON: JSONValue {
        let names = names
        return [
            "data": .array(names.map { named($0).anthropicJSON }), "has_more": false,
            "first_id": names.first.map(JSONValue.string) ?? .null,
            "last_id": names.last.map(JSONValue.string) ?? .null,
        ]
    }

    /// The body of `GET /v1/models/{id}`. Another name is a 404.
    ///
    /// - Parameter isAnthropic: whether to use the form of Anthropic's API.
    func json(named id: String, isAnthropic: Bool = false) throws(APIError) -> JSONValue {
        try check(requestedName: id)
        return isAnthropic ? named(id).anthropicJSON : named(id).json
    }

    private var json: JSONValue {
        [
            "id": .string(name), "object": "model", "created": .integer(created), "owned_by": "trinity",
            "max_model_len": .integer(maxModelLength),
        ]
    }

    private var anthropicJSON: JSONValue {
        let date = Date(timeIntervalSince1970: TimeInterval(created))
        return [
            "type": "model", "id": .string(name), "display_name": .string(name),
            "created_at": .string(date.formatted(.iso8601)), "max_input_tokens": .integer(maxModelLength),
        ]
    }
}
