import HTTP
import TestSupport

extension FuzzTarget {
    /// Any bytes from a peer without a key lead to an unfinished or failed handshake, and no plaintext.
    static func receiveRecords(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let step = bytes.first, let context else { return }
        let session = context.makeSession()
        let input = bytes.dropFirst()
        let half = input.index(input.startIndex, offsetBy: input.count * Int(step) / 255)
        for part in [input[..<half], input[half...]] where !part.isEmpty {
            session.receive(part)
            switch session.handshake() {
            case .done: throw BrokenInvariant(description: "a handshake without a key was accepted")
            case .unfinished: _ = session.takeOutput()
            case .failed, .plainHTTP:
                _ = session.takeOutput()
                return
            }
        }
        session.close()
    }

    private static let context: TLSContext? = {
        let folder = Fixtures.root.appending(path: "tls")
        return try? TLSContext(
            TLSFiles(
                certificateChain: folder.appending(path: "server.pem").path,
                privateKey: folder.appending(path: "server.key").path))
    }()
}
