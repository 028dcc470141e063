import Foundation
import JSON

/// Reads the test vectors in `Tests/Fixtures`.
public enum Fixtures {
    /// The root of the checkout.
    public static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// `Tests/Fixtures`, with `model/` and `text/` inside.
    public static let root = repository.appending(path: "Tests/Fixtures")

    /// A trained model that chats. It stays the same when the default model is trained again.
    public static let chatModel = root.appending(path: "model/trinity-tiny")

    /// The file at `path` below `Tests/Fixtures`, parsed as JSON.
    public static func json(_ path: String) throws -> JSONValue {
        try JSONValue(parsing: [UInt8](Data(contentsOf: root.appending(path: path))))
    }
}
