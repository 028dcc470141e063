import Text

/// The small bodies that say how the server is.
enum ServerStatus {
    /// `GET /health`: the process answers.
    static let health: JSONValue = ["status": "ok"]
    /// `GET /ready`: the model is loaded and requests are taken; otherwise that is an ``APIError``.
    static let ready: JSONValue = ["status": "ready"]

    /// `GET /version`.
    static func version(_ version: String) -> JSONValue {
        ["version": .string(version)]
    }
}
