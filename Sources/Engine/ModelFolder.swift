import Basics
import Foundation

/// Detects common mistakes in the path of a model folder, to report them with a clear error.
public enum ModelFolder {
    /// The beginning of a file that Git LFS has left in place of a large one.
    private static let pointer = Array("version https://git-lfs.github.com/spec/".utf8)
    /// The pointers of Git LFS are smaller.
    private static let mostPointerBytes = 1024

    /// - Throws: `EngineError.model` if `directory` is a file, does not exist, or has Git LFS pointers in place of files.
    public static func check(_ directory: URL) throws(EngineError) {
        let path = directory.path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw .model(missing(path)) }
        guard isFolder.boolValue else { throw .model(file(directory)) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        if let name = names.sorted().first(where: { isPointer(directory.appending(path: $0).path) }) {
            throw .model(
                "\(path)/\(name) is a pointer of Git LFS, not the file itself; run 'git lfs pull' in \(path), or download it again"
            )
        }
    }

    private static func missing(_ path: String) -> String {
        let parts = relative(path).split(separator: "/", omittingEmptySubsequences: false)
        let isRepository =
            parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty && !part.hasPrefix(".") && part.utf8.allSatisfy { $0.isNameCharacter }
            }
        guard isRepository else { return "there is no folder \(path)" }
        let name = parts.joined(separator: "/")
        return """
            there is no folder '\(name)'. Hugging Face repositories are not downloaded automatically: run \
            'hf download \(name) --local-dir \(parts[1])', then give --model \(parts[1])
            """
    }

    /// The path as it was probably given.
    private static func relative(_ path: String) -> String {
        let current = FileManager.default.currentDirectoryPath
        let prefix = current.hasSuffix("/") ? current : current + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
    }

    private static func file(_ url: URL) -> String {
        switch url.pathExtension.lowercased() {
        case "gguf":
            "\(url.path) is a GGUF file, which is not supported; give the folder of a checkpoint in safetensors"
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

extension UInt8 {
    /// Whether the character may occur in names on Hugging Face.
    fileprivate var isNameCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
