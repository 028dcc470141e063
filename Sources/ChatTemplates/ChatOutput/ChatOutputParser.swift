import JSON

/// Splits a reply into reasoning, content and tool calls as it arrives.
///
/// The concatenated events do not depend on how the text is split into pieces: a part is emitted only when its kind is certain.
/// Text that looks like a call but is not one is content, so nothing is lost. White space around reasoning, around calls and
/// before the content that follows them is layout, which templates write again. It is omitted.
public struct ChatOutputParser: Sendable {
    private enum Place: Sendable {
        /// Only white space has been read.
        case start
        case reasoning
        case content
        case call
    }

    private static let opening = Array("<think>".utf8)
    private static let closing = Array("</think>".utf8)
    static let callOpening = Array("<tool_call>".utf8)
    static let callClosing = Array("</tool_call>".utf8)

    private let syntax: ChatOutputSyntax
    /// The types of parameters for each tool; see ``XMLCallScanner``.
    private let tools: ToolParameters
    private let onlyFirstCall: Bool
    private var place: Place
    /// The place in which the current call begins.
    private var placeBehindCall = Place.content
    private var scanner: CallScanner?
    /// Text that has not been parsed yet.
    private var pending = PendingText()
    /// The number of leading pending bytes that are white space.
    private var leadingSpace = 0
    /// White space that is emitted if text follows it.
    private var space: [UInt8] = []
    private var skipsSpace = false
    /// Whether white space after reasoning is content.
    private var keepsSpace = false
    /// The number of calls that have begun.
    public private(set) var calls = 0
    /// Whether the rest of the reply can be ignored, because the only requested call is complete.
    public private(set) var isDone = false
    /// The ranges of bytes of the reply for the content events that the last call returned, in order.
    public private(set) var contentRanges: [Range<Int>] = []

    /// - Parameters:
    ///   - prompt: the end of the prompt, which may have opened or closed the reasoning.
    ///   - tools: the tools of the request, in the API's format. Without tools there are no calls.
    ///   - onlyFirstCall: whether the reply ends with its first call.
    public init(syntax: ChatOutputSyntax, prompt: String, tools: [JSONValue] = [], onlyFirstCall: Bool = false) {
        self.syntax = syntax
        self.tools = ToolParameters(tools)
        self.onlyFirstCall = onlyFirstCall
        let end = Array(prompt.utf8.suffix(64).reversed().drop { $0.isSpace }.reversed())
        if !syntax.reasons {
            place = .content
        } else if end.suffix(Self.opening.count).elementsEqual(Self.opening) {
            place = .reasoning
        } else if end.suffix(Self.closing.count).elementsEqual(Self.closing) {
            place = .content
        } else {
            place = syntax.beginsInReasoning ? .reasoning : .start
        }
        // After a tag in the prompt, the model may begin with layout, as it may after its own tags.
        skipsSpace = syntax.reasons && place != .start
    }

    /// Treats white space after reasoning as content, because an answer with a required format may begin with white space.
    public mutating func keepsSpaceBehindReasoning() {
        keepsSpace = true
        if place == .content { skipsSpace = false }
    }

    /// Whether the next text is reasoning.
    public var isReasoning: Bool { place == .reasoning }

    /// Whether reasoning may still follow: the prompt has not closed it, and no content has begun.
    public var mayReason: Bool { place == .start || place == .reasoning }

    /// Parses the next piece of the reply and returns its events.
    public mutating func append(_ text: String) -> [ChatOutputEvent] {
        contentRanges = []
        guard !isDone else { return [] }
        pending.append(text)
        var events: [ChatOutputEvent] = []
        while !isDone, step(isLast: false, &events) {}
        return events
    }

    /// Returns the remaining events at the end of the reply.
    public mutating func finish() -> [ChatOutputEvent] {
        contentRanges = []
        guard !isDone else { return [] }
        var events: [ChatOutputEvent] = []
        while step(isLast: true, &events) {}
        if !space.isEmpty { emit(space[...], endingAt: pending.dropped, &events) }
        space = []
        return events
    }

    /// Parses one part of `pending`. Returns whether there may be another part.
    private mutating func step(isLast: Bool, _ events: inout [ChatOutputEvent]) -> Bool {
        switch place {
        case .start: return begin(isLast: isLast)
        case .reasoning:
            var tags = [Self.closing]
            if takesCalls { tags.append(Self.callOpening) }
            return takeText(upTo: tags, isLast: isLast, &events)
        case .content: return takeText(upTo: takesCalls ? [Self.callOpening] : [], isLast: isLast, &events)
        case .call: return takeCall(isLast: isLast, &events)
        }
    }

    private var takesCalls: Bool { syntax.calls != nil && !tools.isEmpty }

    private mutating func begin(isLast: Bool) -> Bool {
        leadingSpace = pending.endOfSpace(from: leadingSpace)
        let text = pending.slice(leadingSpace..<min(leadingSpace + Self.opening.count, pending.count))
        if text.elementsEqual(Self.opening) {
            pending.drop(leadingSpace + Self.opening.count)
            place = .reasoning
            skipsSpace = true
            return true
        }
        if !isLast, Self.opening.starts(with: text) { return false }
        place = .content
        return !pending.isEmpty
    }

    /// Emits text up to the first of `tags` and continues after the tag.
    private mutating func takeText(
        upTo tags: [[UInt8]], isLast: Bool, _ events: inout [ChatOutputEvent]
    ) -> Bool {
        guard let found = pending.firstTag(of: tags) else {
            let end = pending.count - (isLast ? 0 : pending.openSuffix(of: tags))
            give(pending.slice(0..<end), endingAt: pending.dropped + end, &events)
            pending.drop(end)
            return false
        }
        let end = found.range.lowerBound
        give(pending.slice(0..<end), endingAt: pending.dropped + end, &events)
        pending.drop(found.range.upperBound)
        if found.tag == Self.closing {
            place = .content
            leaveSpace()
            skipsSpace = !keepsSpace
        } else {
            placeBehindCall = place
            place = .call
            scanner = syntax.calls == .xml ? .xml(XMLCallScanner(tools)) : .json(JSONCallScanner())
        }
        return true
    }

    private mutating func takeCall(isLast: Bool, _ events: inout [ChatOutputEvent]) -> Bool {
        guard var scanner else { preconditionFailure("a call is scanned") }
        self.scanner = nil
        let index = calls
        let outcome = scanner.scan(&pending, isLast: isLast) { part in
            switch part {
            case .name(let name): events.append(.call(index: index, name: name))
            case .arguments(let text): events.append(.arguments(index: index, text))
            }
        }
        switch outcome {
        case .incomplete:
            self.scanner = scanner
            return false
        case .complete:
            calls += 1
            isDone = onlyFirstCall
            place = placeBehindCall
            leaveSpace()
        case .noCall:
            place = placeBehindCall
            give(Self.callOpening[...], endingAt: pending.dropped, &events)
        }
        return true
    }

    /// Drops white space at a boundary, because it is layout.
    private mutating func leaveSpace() {
        space = []
        skipsSpace = true
    }

    /// Emits text. White space at its end is held back until more text follows.
    ///
    /// - Parameter end: the number of bytes of the reply up to the end of the text.
    private mutating func give(_ text: ArraySlice<UInt8>, endingAt end: Int, _ events: inout [ChatOutputEvent]) {
        let text = skipsSpace ? text.drop { $0.isSpace } : text
        guard !text.isEmpty else { return }
        skipsSpace = false
        guard let last = text.lastIndex(where: { !$0.isSpace }) else {
            space += text
            return
        }
        let behind = text[(last + 1)...]
        emit((space + text[...last])[...], endingAt: end - behind.count, &events)
        space = Array(behind)
    }

    private mutating func emit(_ bytes: ArraySlice<UInt8>, endingAt end: Int, _ events: inout [ChatOutputEvent]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard place != .reasoning else { return events.append(.reasoning(text)) }
        events.append(.content(text))
        contentRanges.append(end - bytes.count..<end)
    }
}

/// Parses one call, from after `<tool_call>` to after `</tool_call>`.
enum CallScanner: Sendable {
    /// A parsed part of a call.
    enum Part {
        case name(String)
        case arguments(String)
    }

    enum Outcome {
        case incomplete
        case complete
        /// The text is not a call. Nothing was consumed.
        case noCall
    }

    case json(JSONCallScanner)
    case xml(XMLCallScanner)

    /// Parses as much of `pending` as possible.
    mutating func scan(_ pending: inout PendingText, isLast: Bool, _ give: (Part) -> Void) -> Outcome {
        switch self {
        case .json(var scanner):
            defer { self = .json(scanner) }
            return scanner.scan(&pending, isLast: isLast, give)
        case .xml(var scanner):
            defer { self = .xml(scanner) }
            return scanner.scan(&pending, isLast: isLast, give)
        }
    }
}
