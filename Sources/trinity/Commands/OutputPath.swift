import ArgumentParser

/// The path of a file or folder that a command writes.
enum OutputPath {
    /// - Parameter name: the option or argument, such as `--out`.
    /// - Throws: `ValidationError` for a path without a visible character. An empty one would be the current folder.
    static func check(_ path: String, _ name: String) throws {
        guard path.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("\(name) must be a path; got '\(path)'")
        }
    }
}
