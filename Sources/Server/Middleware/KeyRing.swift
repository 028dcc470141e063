import HTTPTypes
import Synchronization

/// The current API keys. Connections check them before they read a body, routes before they reply.
final class KeyRing: Sendable {
    private let keys: Mutex<APIKeys>

    init(_ keys: APIKeys) {
        self.keys = Mutex(keys)
    }

    func replace(_ keys: APIKeys) {
        self.keys.withLock { $0 = keys }
    }

    /// Removes the keys of the file that `current` does not contain; returns their number.
    func revoke(missingFrom current: APIKeys) -> Int {
        keys.withLock { $0.revoke(missingFrom: current) }
    }

    var isEmpty: Bool { keys.withLock(\.isEmpty) }

    func key(in fields: HTTPFields) -> APIKeys.Key? { keys.withLock { $0.key(in: fields) } }
}
