import ChatTemplates
import Dispatch
import Engine
import Foundation
import JSON
import Logging
import Scheduling

/// Runs a model without a server: one request at a time, on the calling thread. Requests are those of the API, and the same
/// code validates and serves them.
final class ConsoleSession {
    private let engine: LLMEngine
    private let serving: Serving
    /// Signalled when the engine has new events.
    private let news: DispatchSemaphore
    private var nextSequence: UInt64 = 1

    /// Loads the model of `configuration`, which takes some time.
    ///
    /// - Throws: `ApplicationError` when it cannot be loaded.
    init(_ configuration: ServerConfiguration, logger: Logger) throws {
        // Checked before the tokenizer, whose error would be less clear if the path is not a checkpoint.
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
        case .rankFailed(let failure): throw ApplicationError(failure)
        case .loading, .stopped: throw ApplicationError(reason: "the engine stopped")
        }
    }

    deinit {
        engine.stop()
    }

    /// Checks a request without running it.
    ///
    /// - Throws: `ApplicationError` with the error in the request.
    func check(_ body: JSONValue, isChat: Bool) throws(ApplicationError) { _ = try prepare(body, isChat) }

    private func prepare(_ body: JSONValue, _ isChat: Bool) throws(ApplicationError) -> RequestPreparation.Prepared {
        do throws(APIError) {
            return try RequestPreparation(
                endpoint: isChat ? .chat : .completions, model: serving.model, text: serving.text
            ).prepare(body)
        } catch {
            throw ApplicationError(reason: error.message)
        }
    }

    /// Generates the reply to a request for one choice, and passes its parts on as they arrive.
    ///
    /// - Parameters:
    ///   - isChat: whether `body` is for `/v1/chat/completions`, otherwise for `/v1/completions`.
    ///   - isCancelled: called at intervals; if it returns true, the reply ends.
    /// - Throws: `ApplicationError` with the error in the request, or if the engine failed.
    func generate(
        _ body: JSONValue, isChat: Bool, isCancelled: () -> Bool = { false }, receive: (ChatOutputEvent) -> Void
    ) throws {
        let prepared = try prepare(body, isChat)
        let requests: [GenerationRequest]
        do throws(APIError) {
            var generator = SystemRandomNumberGenerator()
            requests = try prepared.options.generationRequests(
                promptIDs: prepared.promptIDs, firstID: SequenceID(nextSequence),
                endpoint: isChat ? .chat : .completions, model: serving.model, using: &generator)
        } catch {
            throw ApplicationError(reason: error.message)
        }
        guard requests.count == 1 else { throw ApplicationError(reason: "one reply at a time") }
        nextSequence += 1
        guard engine.submit(requests) else { throw ApplicationError(reason: "the engine stopped") }
        var choice = ChoiceState(prompt: 0, parsing: prepared.parsing)
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
