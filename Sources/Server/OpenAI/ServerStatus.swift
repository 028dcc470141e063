import Text

/// The small bodies that say how the server is.
enum ServerStatus {
    /// `GET /health`: the process answers.
    static let health: JSONValue = ["status": "ok"]
    /// `GET /ready`: the model is loaded and requests are taken; otherwise that is an ``APIError``.
    static let ready: JSONValue = ["status": "ready"]

    /// `GET /version`: which build answers and, once the model is loaded, what computes.
    static func version(kernels: String?, threads: Int?) -> JSONValue {
        var version: JSONObject = ["version": .string(current)]
        if let kernels { version["kernels"] = .string(kernels) }
        if let threads { version["threads"] = .integer(threads) }
        return .object(version)
    }

    /// The version of this server, as in the change log.
    static let current = "0.1.0"
}
