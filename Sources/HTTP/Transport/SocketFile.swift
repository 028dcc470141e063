import Foundation
import Synchronization

/// The file of a Unix socket. The system does not remove it when the process ends, so the server does.
public final class SocketFile: Sendable {
    /// The prefix of hosts that are paths of Unix sockets.
    public static let prefix = "unix:"
    /// Allows connections by the server's user and group.
    public static let mode: mode_t = 0o660

    public let path: String
    private let device: dev_t
    private let inode: ino_t
    private let isRemoved = Atomic(false)

    /// The file at `path`; nil if it does not exist or is not a socket.
    public init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        (device, inode) = (status.st_dev, status.st_ino)
    }

    /// Removes the file, unless it has been replaced by another one. Only the first call has an effect, because a later file of
    /// another process may have the same inode number.
    public func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
        guard let file = SocketFile(path: path), file.device == device, file.inode == inode else { return }
        unlink(path)
    }

    /// Returns the path of a host that is a Unix socket; nil if it is a name or an address.
    public static func path(of host: String) -> String? {
        host.hasPrefix(prefix) ? String(host.dropFirst(prefix.count)) : nil
    }
}
