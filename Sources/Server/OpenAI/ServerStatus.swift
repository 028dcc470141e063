import HTTPTypes
import JSON

/// The small bodies of status endpoints.
enum ServerStatus {
    /// The header fields for the two bodies below. These are requested often, so they are stored as bytes.
    static let fields: HTTPFields = [.contentType: "application/json"]

    /// `GET /health`: the process is alive.
    static let health = (["status": "ok"] as JSONValue).serialized
    /// `GET /ready`: the model is loaded and requests are accepted; otherwise the reply is an ``APIError``.
    static let ready = (["status": "ready"] as JSONValue).serialized

    /// `GET /version`: the version and, once the model is loaded, the kernels and threads.
    static func version(_ version: String, kernels: String?, threads: Int?) -> JSONValue {
        var body: JSONObject = ["version": .string(version)]
        if let kernels { body["kernels"] = .string(kernels) }
        if let threads { body["threads"] = .integer(threads) }
        return .object(body)
    }
}
