import Foundation

/// The space that is left on a disk.
package enum FreeSpace {
    /// Bytes that this user may still write to the disk of `path`; `nil` if the system does not report it.
    package static func bytes(_ path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
        return overflow ? .max : bytes
    }
}
