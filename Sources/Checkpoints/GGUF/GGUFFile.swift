import Basics
import Foundation

/// A tensor in a GGUF file; the bytes are valid as long as `owner` lives.
public struct GGUFTensor {
    public var type: GGUFType
    /// Row-major.
    public var shape: [Int]
    /// The data, with any alignment.
    public var bytes: UnsafeRawBufferPointer
    public var owner: MappedFile
}

/// A model in one GGUF file or in the files of a split set, mapped.
public final class GGUFFile {
    /// The location of the first file.
    public let url: URL
    /// The metadata of the first file; the other files have only their number. The values are views of the file's bytes and are
    /// valid as long as this object lives.
    public let metadata: [String: GGUFValue]
    public let tensors: [String: GGUFTensor]
    private let files: [MappedFile]

    /// The maximum number of files in a set.
    private static let mostFiles = 1 << 10

    /// Opens `url` and all other files of its set.
    ///
    /// - Parameter url: the file, or the first file of a set: `NAME-00001-of-00003.gguf`.
    /// - Throws: `CheckpointError.unreadable` with the name of the missing file, or `.unusable`.
    public init(_ url: URL) throws(CheckpointError) {
        self.url = url
        let first = try MappedFile(url)
        let header = try GGUFHeader(parsing: first.bytes, path: url.path)
        metadata = header.metadata
        var files = [first]
        var tensors = Self.tensors(header, first)
        let count = try Self.count(of: "split.count", in: header, url) ?? 1
        guard try Self.count(of: "split.no", in: header, url) ?? 0 == 0 else {
            throw .unusable(file: url.path, tensor: nil, reason: "a later file of a set; give the first one")
        }
        guard count <= Self.mostFiles else {
            throw .unusable(
                file: url.path, tensor: nil,
                reason: "split.count is \(count), more than the limit of \(Self.mostFiles) files")
        }
        var headerBytes = header.bytes
        for number in 1..<max(count, 1) {
            let next = try Self.url(ofFile: number, of: count, first: url)
            guard RegularFile.exists(next.path) else {
                throw .unreadable(file: next.path, reason: "missing: it is file \(number + 1) of \(count) of the model")
            }
            let file = try MappedFile(next)
            let header = try GGUFHeader(parsing: file.bytes, path: next.path)
            guard try Self.count(of: "split.no", in: header, next) == number,
                try Self.count(of: "split.count", in: header, next) == count
            else {
                throw .unusable(
                    file: next.path, tensor: nil, reason: "split.no is not \(number) of a split.count of \(count)")
            }
            headerBytes += header.bytes
            let total = tensors.count + header.entries.count
            guard headerBytes <= GGUFHeader.mostBytes, total <= GGUFHeader.mostTensors else {
                throw .unusable(
                    file: next.path, tensor: nil,
                    reason: """
                        the headers up to this file have \(headerBytes) bytes and \(total) tensors, more than the limits of \
                        \(GGUFHeader.mostBytes) and \(GGUFHeader.mostTensors)
                        """)
            }
            files.append(file)
            for (name, tensor) in Self.tensors(header, file) {
                guard tensors.updateValue(tensor, forKey: name) == nil else {
                    throw .unusable(file: next.path, tensor: name, reason: "an earlier file has it too")
                }
            }
        }
        if let total = try Self.count(of: "split.tensors.count", in: header, url), total != tensors.count {
            throw .unusable(
                file: url.path, tensor: nil,
                reason: "split.tensors.count is \(total), but the \(count) files have \(tensors.count)")
        }
        self.files = files
        self.tensors = tensors
    }

    private static func tensors(_ header: GGUFHeader, _ file: MappedFile) -> [String: GGUFTensor] {
        header.entries.mapValues { entry in
            GGUFTensor(
                type: entry.type, shape: entry.shape, bytes: UnsafeRawBufferPointer(rebasing: file.bytes[entry.range]),
                owner: file)
        }
    }

    private static func count(
        of key: String, in header: GGUFHeader, _ url: URL
    ) throws(CheckpointError) -> Int? {
        guard let value = header.metadata[key] else { return nil }
        guard let count = value.integer, count >= 0 else {
            throw .unusable(file: url.path, tensor: nil, reason: "\(key) is not a count")
        }
        return count
    }

    /// Returns the location of the file with index `number` in a set.
    private static func url(ofFile number: Int, of count: Int, first: URL) throws(CheckpointError) -> URL {
        let ending = suffix(0, count)
        let name = first.lastPathComponent
        guard name.hasSuffix(ending) else {
            throw .unusable(
                file: first.path, tensor: nil,
                reason: "the first of \(count) files, but its name does not end in \(ending)")
        }
        return first.deletingLastPathComponent().appending(path: name.dropLast(ending.count) + suffix(number, count))
    }

    private static func suffix(_ number: Int, _ count: Int) -> String {
        String(format: "-%05d-of-%05d.gguf", number + 1, count)
    }

    /// Returns whether `name` is the name of a later file of a set, not of the first one.
    static func isLaterFile(_ name: String) -> Bool {
        guard let match = name.wholeMatch(of: /.*-([0-9]{5})-of-[0-9]{5}\.(?i:gguf)/) else { return false }
        return match.1 != "00001"
    }
}
