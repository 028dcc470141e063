/// The targets of fuzzing: each case takes any bytes, and its documentation states the property that must hold for them.
///
/// The tests replay the corpus and seeded mutations of it; `make fuzz` searches much longer, guided by coverage. Failing inputs
/// are added to the corpus.
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
    case gguf
    case tlsRecords
    case rankMessage

    /// Runs the target on one input, which it must survive.
    ///
    /// - Throws: `BrokenInvariant` if the property does not hold.
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
        case .gguf: try FuzzTarget.readGGUF(bytes)
        case .tlsRecords: try FuzzTarget.receiveRecords(bytes)
        case .rankMessage: try FuzzTarget.readRankMessage(bytes)
        }
    }
}

/// A violated property.
public struct BrokenInvariant: Error, CustomStringConvertible {
    public let description: String

    static func check(_ holds: Bool, _ invariant: @autoclosure () -> String) throws(BrokenInvariant) {
        if !holds { throw BrokenInvariant(description: invariant()) }
    }
}
