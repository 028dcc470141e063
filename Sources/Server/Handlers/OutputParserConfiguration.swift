import Basics
import ChatTemplates

/// How the output of a chat is parsed: the same for each of its choices.
struct OutputParserConfiguration: Sendable {
    /// Before the first piece of text.
    var parser: ChatOutputParser
    /// Before the first token; `nil` when the tags are no single tokens.
    let reasoning: ReasoningTracker?
    let includesReasoning: Bool
    /// Whether the request names the tool to call: then the reply ends because it is complete.
    let isCallByName: Bool
    /// The token that ends a call, when no second one is wanted: generation stops with it.
    let callEnd: Int32?
    /// The tokens that its parts are told apart by; a tokenizer may have them among its special ones.
    let tags: Set<Int32>

    /// `nil` when all of the output is content.
    ///
    /// - Parameter prompt: as rendered.
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
