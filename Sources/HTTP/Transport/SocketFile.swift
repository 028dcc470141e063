import Foundation
import Synchronization

/// The file of a Unix socket. It stays when the process ends, so it is removed before.
public final class SocketFile: Sendable {
    /// How hosts that are files begin.
    public static let prefix = "unix:"
    /// Who may connect: the server's user and group.
    public static let mode: mode_t = 0o660

    public let path: String
    private let device: dev_t
    private let inode: ino_t
    private let isRemoved = Atomic(false)

    /// The file at `path`; nil: there is none, or it is no socket.
    public init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        (device, inode) = (status.st_dev, status.st_ino)
    }

    /// Removes it, unless another one is in its place by now. Only the first call does: a later process may have got the same
    /// number for a file of its own.
    public func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
        guard let file = SocketFile(path: path), file.device == device, file.inode == inode else { return }
        unlink(path)
    }

    /// The path of a host that is a file; nil: it is a name or an address.
    public static func path(of host: String) -> String? {
        host.hasPrefix(prefix) ? String(host.dropFirst(prefix.count)) : nil
    }
}
