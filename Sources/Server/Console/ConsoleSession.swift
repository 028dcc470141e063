import ChatTemplates
import Dispatch
import Engine
import Foundation
import JSON
import Logging
import Scheduling

/// A model without a server: one request at a time, on the calling thread. Requests are those of the API, and are checked
/// and answered by the same code.
final class ConsoleSession {
    private let engine: LLMEngine
    private let serving: Serving
    /// Signalled when the engine has something to say.
    private let news: DispatchSemaphore
    private var nextSequence: UInt64 = 1

    /// Loads the model that `configuration` names, which takes a while.
    ///
    /// - Throws: `ApplicationError` when it cannot be loaded.
    init(_ configuration: ServerConfiguration, logger: Logger) throws {
        // Before the tokenizer of what is no checkpoint is complained about.
        do throws(EngineError) { try ModelFolder.check(configuration.engine.modelDirectory) } catch {
            throw ApplicationError(reason: error.description)
        }
        let text: TextPipeline?
        do throws(TextPipelineError) {
            text = try Serving.text(of: configuration, logger: logger)
        } catch {
            throw ApplicationError(reason: error.description)
        }
        let (news, changes) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        self.news = news
        engine = LLMEngine(options: configuration.engine, tokenizer: text?.tokenizer, logger: logger) {
            news.signal()
        } onStateChange: { _ in
            changes.signal()
        }
        engine.start()
        changes.wait()
        switch engine.state {
        case .ready(let loaded):
            serving = Serving(loaded, text: text, configuration, created: 0)
        case .failed(let reason): throw ApplicationError(reason: reason)
        case .loading, .stopped: throw ApplicationError(reason: "the engine stopped")
        }
    }

    deinit {
        engine.stop()
    }

    /// Generates the reply to the body of a request for one choice, and hands over its parts as they come.
    ///
    /// - Parameters:
    ///   - isChat: whether `body` is of `/v1/chat/completions`, else of `/v1/completions`.
    ///   - isCancelled: asked now and then; the reply ends where it is.
    /// - Throws: `ApplicationError` with what is wrong with the request, or that the engine failed.
    func generate(
        _ body: JSONValue, isChat: Bool, isCancelled: () -> Bool = { false }, receive: (ChatOutputEvent) -> Void
    ) throws {
        let requests: [GenerationRequest]
        let parsing: OutputParserConfiguration?
        do throws(APIError) {
            let endpoint: Endpoint = isChat ? .chat : .completions
            let preparation = RequestPreparation(endpoint: endpoint, model: serving.model, text: serving.text)
            let prepared = try preparation.prepare(body)
            parsing = prepared.parsing
            var generator = SystemRandomNumberGenerator()
            requests = try prepared.options.generationRequests(
                promptIDs: prepared.promptIDs, firstID: SequenceID(nextSequence), endpoint: endpoint,
                model: serving.model,
                using: &generator)
        } catch {
            throw ApplicationError(reason: error.message)
        }
        guard requests.count == 1 else { throw ApplicationError(reason: "one reply at a time") }
        nextSequence += 1
        guard engine.submit(requests) else { throw ApplicationError(reason: "the engine stopped") }
        var choice = ChoiceState(prompt: 0, parsing: parsing)
        var isAborted = false
        while choice.finish == nil {
            if !isAborted, isCancelled() {
                engine.abort(requests.map(\.id))
                isAborted = true
            }
            guard news.wait(timeout: .now() + .milliseconds(100)) == .success else { continue }
            for event in engine.takeReport().events where event.sequence == requests[0].id {
                if case .error(let reason) = event.finish { throw ApplicationError(reason: reason) }
                if event.finish == .unsatisfiable { throw ApplicationError(reason: APIError.unsatisfiable.message) }
                for part in choice.receive(event) { receive(part) }
            }
        }
    }
}
