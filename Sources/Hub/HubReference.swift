/// A model on the Hugging Face Hub, written as `owner/name`, `owner/name@revision` or `owner/name:quantization`.
public struct HubReference: Sendable, Hashable, CustomStringConvertible {
    /// The owner and the name, such as `arcee-ai/Trinity-Mini`.
    public let repository: String
    /// A branch, a tag or a commit; `nil` for the default, ``revisionOrMain``.
    public let revision: String?
    /// A part of the name of a GGUF file, such as `Q4_K_M`; `nil` for a checkpoint in safetensors.
    public let quantization: String?

    /// The revision, or the Hub's default branch.
    public var revisionOrMain: String { revision ?? "main" }

    /// Parses a reference; `nil` if `text` is not the name of a model on the Hub. These are the Hub's own rules for names.
    /// Anything else, such as a path that starts with a dot, can only be a path.
    public init?(_ text: String) {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy(Self.isName) else { return nil }
        repository = String(parts[0])
        revision = parts.count == 2 ? String(parts[1]) : nil
        quantization = halves.count == 2 ? String(halves[1]) : nil
        if let revision, !Self.isRevision(revision) { return nil }
        if let quantization, !Self.isQuantization(quantization) { return nil }
    }

    public var description: String {
        repository + (revision.map { "@" + $0 } ?? "") + (quantization.map { ":" + $0 } ?? "")
    }

    /// Returns whether `text` is a valid owner or name. In the cache, two hyphens separate owner and name, so neither may contain
    /// them.
    private static func isName(_ text: Substring) -> Bool {
        (1...96).contains(text.utf8.count) && text.utf8.allSatisfy(\.isNameCharacter) && !text.contains("--")
            && !text.contains("..") && !text.hasSuffix(".git") && !text.hasPrefix(".") && !text.hasPrefix("-")
            && !text.hasSuffix(".") && !text.hasSuffix("-")
    }

    /// Returns whether `text` is a valid revision, which becomes a path in the cache's `refs`.
    static func isRevision(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 255
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.allSatisfy(\.isNameCharacter) && !part.contains("..")
                    && !part.hasPrefix(".") && !part.hasPrefix("-") && !part.hasSuffix(".")
            }
    }

    private static func isQuantization(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy(\.isNameCharacter)
    }
}

extension UInt8 {
    /// Whether the character is allowed in names on the Hub.
    fileprivate var isNameCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
