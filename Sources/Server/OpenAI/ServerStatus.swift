import HTTPTypes
import JSON

/// The small bodies that say how the server is.
enum ServerStatus {
    /// Of the two below, which are asked for often, and so are bytes already.
    static let fields: HTTPFields = [.contentType: "application/json"]

    /// `GET /health`: the process answers.
    static let health = (["status": "ok"] as JSONValue).serialized
    /// `GET /ready`: the model is loaded and requests are taken; otherwise that is an ``APIError``.
    static let ready = (["status": "ready"] as JSONValue).serialized

    /// `GET /version`: which build answers and, once the model is loaded, what computes.
    static func version(_ version: String, kernels: String?, threads: Int?) -> JSONValue {
        var body: JSONObject = ["version": .string(version)]
        if let kernels { body["kernels"] = .string(kernels) }
        if let threads { body["threads"] = .integer(threads) }
        return .object(body)
    }
}
