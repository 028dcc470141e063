import Basics
import ChatTemplates

/// The configuration of the output parser for a chat, which is the same for each of its choices.
struct OutputParserConfiguration: Sendable {
    /// The parser in its initial state.
    var parser: ChatOutputParser
    /// The tracker in its initial state; `nil` if the tags are not single tokens.
    let reasoning: ReasoningTracker?
    let includesReasoning: Bool
    /// Whether the request names the tool to call. The finish reason of a complete call is then `stop`.
    let isCallByName: Bool
    /// The token that ends a call, if the request allows only one call. Generation stops with it.
    let callEnd: Int32?
    /// The tokens of the tags that separate the parts. In some tokenizers they are special tokens.
    let tags: Set<Int32>

    /// Returns `nil` if all of the output is content.
    ///
    /// - Parameter prompt: the rendered prompt.
    init?(_ request: ChatCompletionRequest, prompt: String, _ text: TextPipeline) {
        let syntax = text.outputSyntax
        guard syntax.reasons || (syntax.calls != nil && !request.tools.isEmpty) else { return nil }
        parser = ChatOutputParser(
            syntax: syntax, prompt: prompt, tools: request.tools, onlyFirstCall: !request.callsInParallel)
        reasoning = text.reasoningTracker(isOpen: parser.isReasoning)
        includesReasoning = request.includesReasoning
        isCallByName = request.namedTool != nil
        let calls = syntax.calls != nil && !request.tools.isEmpty
        let names =
            (syntax.reasons ? ["<think>", "</think>"] : []) + (calls ? ["<tool_call>", "</tool_call>"] : [])
        tags = Set(names.compactMap(text.tokenizer.id))
        let stops = calls && !request.callsInParallel
        callEnd = stops ? text.tokenizer.id(of: "</tool_call>") : nil
    }
}
