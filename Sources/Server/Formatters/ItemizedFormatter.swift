import Engine

/// The formatter of an API whose responses are lists of items, streamed as events that open, extend and close them. Such a
/// response has one choice.
protocol ItemizedFormatter: ResponseFormatter {
    mutating func begin(_ response: ResponseState, to output: inout [UInt8])
    /// - Parameter number: the index of the item in ``ResponseState/items``.
    mutating func open(_ number: Int, of response: ResponseState, to output: inout [UInt8])
    mutating func extend(_ number: Int, by text: String, of response: ResponseState, to output: inout [UInt8])
    mutating func close(_ number: Int, of response: ResponseState, to output: inout [UInt8])
    mutating func end(_ response: ResponseState, _ finish: FinishReason, to output: inout [UInt8])
}

extension ItemizedFormatter {
    mutating func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        if update.isFirst { begin(response, to: &output) }
        for change in update.changes {
            switch change {
            case .opens(let number): open(number, of: response, to: &output)
            case .extends(let number, let text): extend(number, by: text, of: response, to: &output)
            case .closes(let number): close(number, of: response, to: &output)
            }
        }
        if let finish = update.event.finish { end(response, finish, to: &output) }
    }
}

extension ResponseState {
    /// The items of the only choice.
    var items: [OutputItem] { choices.first?.output.items ?? [] }

    /// The tokens of a text item of the only choice; empty if the reply does not list them.
    func tokens(of item: Int) -> [ScoredToken] { choices.first?.textTokens[item] ?? [] }

    /// Why the only choice ended; an unfinished one counts as aborted.
    var finish: FinishReason { choices.first?.finish ?? .abort }
}
