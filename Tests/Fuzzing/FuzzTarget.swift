/// What is fuzzed: each case takes any bytes, and says in its first line what must hold for them.
///
/// The tests replay the corpus and seeded mutations of it; `make fuzz` searches with coverage for much longer. What it
/// finds joins the corpus.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case tokenizerFile
    case encoder
    case template
    case templateContext
    case json
    case requestBody
    case httpRequest
    case chunkedBody
    case contentCoding
    case safetensors
    case tlsRecords

    /// Runs the target on one input, which it must survive.
    ///
    /// - Throws: `BrokenInvariant` when what must hold does not.
    public func run(_ bytes: [UInt8]) throws(BrokenInvariant) {
        switch self {
        case .tokenizerFile: try FuzzTarget.readTokenizerFile(bytes)
        case .encoder: try FuzzTarget.encode(bytes)
        case .template: try FuzzTarget.renderSource(bytes)
        case .templateContext: try FuzzTarget.renderContext(bytes)
        case .json: try FuzzTarget.parseJSON(bytes)
        case .requestBody: try FuzzTarget.readRequestBody(bytes)
        case .httpRequest: try FuzzTarget.readRequests(bytes)
        case .chunkedBody: try FuzzTarget.decodeChunks(bytes)
        case .contentCoding: try FuzzTarget.decodeContent(bytes)
        case .safetensors: try FuzzTarget.readSafetensors(bytes)
        case .tlsRecords: try FuzzTarget.receiveRecords(bytes)
        }
    }
}

/// What should hold for every input and did not.
public struct BrokenInvariant: Error, CustomStringConvertible {
    public let description: String

    static func check(_ holds: Bool, _ invariant: @autoclosure () -> String) throws(BrokenInvariant) {
        if !holds { throw BrokenInvariant(description: invariant()) }
    }
}
