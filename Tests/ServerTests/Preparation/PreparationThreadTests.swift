import Dispatch
import Engine
import Foundation
import HTTP
import JSON
import Logging
import Synchronization
import Testing

@testable import Server

/// Failures to create threads.
@Suite struct PreparationThreadTests {
    /// A system that creates this many threads, and refuses all others.
    private static func starter(threads: Int) -> SystemThread.Starter {
        let started = Started()
        return { (name, stackBytes, body) throws(SystemThread.Failure) in
            guard started.count.add(1, ordering: .relaxed).oldValue < threads else {
                throw SystemThread.Failure(name: name, code: EAGAIN)
            }
            try SystemThread.start(name, stackBytes: stackBytes, body)
        }
    }

    private final class Started: Sendable {
        let count = Atomic(0)
    }

    private func wait(until condition: () -> Bool) async {
        while !condition() { try? await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func `threads that cannot be created are detected at start`() {
        #expect(throws: SystemThread.Failure.self) {
            try PreparationExecutor(concurrency: 2, starter: Self.starter(threads: 1)).start()
        }
        let error = #expect(throws: SystemThread.Failure.self) {
            try Watchdog(
                timeout: .seconds(1), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                starter: Self.starter(threads: 0), step: { nil }
            ).start()
        }
        #expect(error?.description.contains("could not start a thread (watchdog)") == true)
        #expect(error?.description.contains("ulimit -u") == true)
    }

    @Test func `a job without a thread ends at once, and the next one runs when there is a thread`() async {
        let executor = PreparationExecutor(concurrency: 2, starter: Self.starter(threads: 1))
        let mayEnd = Atomic(false)
        let results = Mutex<[String]>([])
        func submit(_ name: String, _ work: @escaping @Sendable () -> Void) -> PreparationJob {
            executor.submit(tenant: "", deadline: .now + .seconds(60)) { _ in
                work()
                return name
            } completion: { result in
                results.withLock { $0.append(result ?? "no " + name) }
            }
        }
        let first = submit("first") { while !mayEnd.load(ordering: .relaxed) {} }
        let second = submit("second") {}
        #expect(second.hasNoThread && !first.hasNoThread)
        #expect(results.withLock { $0 } == ["no second"])
        #expect(executor.jobs == 1)
        mayEnd.store(true, ordering: .relaxed)
        await wait { executor.jobs == 0 }
        let third = submit("third") {}
        await wait { executor.jobs == 0 }
        await wait { results.withLock { $0.count } == 3 }
        #expect(results.withLock { $0 } == ["no second", "first", "third"] && !third.hasNoThread)
    }

    @Test func `without any thread every job ends once`() async {
        let executor = PreparationExecutor(concurrency: 3, starter: Self.starter(threads: 0))
        let ended = Started()
        await withTaskGroup { group in
            for index in 0..<100 {
                group.addTask {
                    _ = executor.submit(tenant: "\(index % 3)", deadline: .now + .seconds(60)) { _ in
                        Issue.record("there is no thread")
                    } completion: { result in
                        #expect(result == nil)
                        ended.count.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        #expect(ended.count.load(ordering: .relaxed) == 100 && executor.jobs == 0)
    }

    @Test func `a request without a thread gets 503, and is counted`() async throws {
        let configuration = try ServerConfiguration(flags: [:], environment: [:])
        let routes = Routes(
            configuration: configuration, keys: KeyRing(configuration.apiKeys),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        routes.serve(
            .init(
                model: ServedModel(
                    name: "m", created: 0, vocabularySize: 10, maxModelLength: 10, hasTokenizer: false,
                    hasChatTemplate: false, samplingDefaults: SamplingParameters()), text: nil))
        let loop = try EventLoop(configuration: configuration.http)
        let executor = PreparationExecutor(concurrency: 1, starter: Self.starter(threads: 0))
        await loop.serve(RoutesService(routes: routes, executor: executor) {})
        let port = try await loop.listen(host: "127.0.0.1", port: 0).port
        let url = "http://127.0.0.1:\(port)"
        let reply = try await CurlClient.send(
            CurlRequest(
                url: url + "/v1/completions", method: "POST", headers: ["Content-Type: application/json"],
                body: #"{"prompt": [1]}"#))
        #expect(reply.status == 503 && reply.json["error"]?["code"] == "server_overloaded")
        let metrics = try await CurlClient.send(CurlRequest(url: url + "/metrics", method: "GET")).body
        #expect(metrics.contains("reason=\"threads\"} 1\n"))
        await loop.closeListeners()
    }
}
