import Basics
import Foundation

/// Checks that detect common mistakes in the path of a model, to report them with a clear error.
public enum ModelFolder {
    /// The beginning of a Git LFS pointer file, which stands in for a large file.
    private static let pointer = Array("version https://git-lfs.github.com/spec/".utf8)
    /// The maximum size of a Git LFS pointer file.
    private static let mostPointerBytes = 1024

    /// Checks the path of a model.
    ///
    /// - Parameter directory: A folder or a GGUF file.
    /// - Throws: `EngineError.model` if `directory` is another kind of file, does not exist, or has Git LFS pointers in place of
    ///   files.
    public static func check(_ directory: URL) throws(EngineError) {
        let path = directory.path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .model("there is no folder \(path)")
        }
        guard isFolder.boolValue else {
            guard directory.pathExtension.lowercased() == "gguf" else { throw .model(file(directory)) }
            if isPointer(path) { throw .model(pointer(path, in: directory.deletingLastPathComponent().path)) }
            return
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        if let name = names.sorted().first(where: { isPointer(directory.appending(path: $0).path) }) {
            throw .model(pointer("\(path)/\(name)", in: path))
        }
    }

    private static func pointer(_ file: String, in folder: String) -> String {
        "\(file) is a pointer of Git LFS, not the file itself; run 'git lfs pull' in \(folder), or download it again"
    }

    private static func file(_ url: URL) -> String {
        switch url.pathExtension.lowercased() {
        case "safetensors":
            "\(url.path) is one file of a checkpoint; give its folder, \(url.deletingLastPathComponent().path)"
        default: "\(url.path) is a file; give the folder of a checkpoint"
        }
    }

    private static func isPointer(_ path: String) -> Bool {
        guard let bytes = try? RegularFile.read(path, atMost: mostPointerBytes) else { return false }
        return bytes.starts(with: pointer)
    }
}
