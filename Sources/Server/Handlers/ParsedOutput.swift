import ChatTemplates

/// A part of a choice's output of a single kind.
struct OutputItem: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case reasoning
        case text
        /// A call of the tool `name`; the item's text has its arguments. Calls are numbered from 0.
        case call(index: Int, name: String)
    }

    var kind: Kind
    var text = ""
}

/// A change of the items by the next piece of output. Each case has the index of the item.
enum OutputChange: Sendable, Hashable {
    case opens(item: Int)
    case extends(item: Int, by: String)
    case closes(item: Int)
}

/// The parsed output of one choice: its reasoning, content and calls, in order.
struct ParsedOutput: Sendable, Hashable {
    private(set) var items: [OutputItem] = []
    /// Whether items keep their text. A stream has sent it already.
    private let keepsText: Bool

    init(keepsText: Bool = true) {
        self.keepsText = keepsText
    }

    /// Appends new events. At the end of the output, also closes the last item.
    @discardableResult mutating func add(_ events: [ChatOutputEvent], isLast: Bool = false) -> [OutputChange] {
        var changes: [OutputChange] = []
        for event in events {
            switch event {
            case .reasoning(let text): add(text, .reasoning, &changes)
            case .content(let text): add(text, .text, &changes)
            case .call(let index, let name): open(.call(index: index, name: name), &changes)
            case .arguments(_, let text): extend(by: text, &changes)
            }
        }
        if isLast, !items.isEmpty { changes.append(.closes(item: items.count - 1)) }
        return changes
    }

    private mutating func add(_ text: String, _ kind: OutputItem.Kind, _ changes: inout [OutputChange]) {
        if items.last?.kind != kind { open(kind, &changes) }
        extend(by: text, &changes)
    }

    private mutating func open(_ kind: OutputItem.Kind, _ changes: inout [OutputChange]) {
        if !items.isEmpty { changes.append(.closes(item: items.count - 1)) }
        items.append(OutputItem(kind: kind))
        changes.append(.opens(item: items.count - 1))
    }

    private mutating func extend(by text: String, _ changes: inout [OutputChange]) {
        guard let item = items.indices.last else { return }
        if keepsText { items[item].text += text }
        // The arguments of a call come in many small pieces, which are merged.
        if case .call = items[item].kind, case .extends(item, let before) = changes.last {
            changes[changes.count - 1] = .extends(item: item, by: before + text)
        } else {
            changes.append(.extends(item: item, by: text))
        }
    }
}

extension ParsedOutput {
    /// The concatenated reasoning.
    var reasoning: String { text(of: .reasoning) }

    /// The concatenated content.
    var content: String { text(of: .text) }

    private func text(of kind: OutputItem.Kind) -> String {
        items.reduce(into: "") { text, item in
            if item.kind == kind { text += item.text }
        }
    }
}
