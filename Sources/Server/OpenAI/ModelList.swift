import JSON

extension ServedModel {
    /// The body of `GET /v1/models`.
    var listJSON: JSONValue {
        ["object": "list", "data": .array(names.map { named($0).json })]
    }

    /// The body of `GET /v1/models/{id}`; a model of another name is a 404.
    func json(named id: String) throws(APIError) -> JSONValue {
        try check(requestedName: id)
        return named(id).json
    }

    private var json: JSONValue {
        [
            "id": .string(name), "object": "model", "created": .integer(created), "owned_by": "trinity",
            "max_model_len": .integer(maxModelLength),
        ]
    }
}
