import Foundation
import Glibc
import JSON
import TestSupport
import Testing

@testable import Server

/// A request ends when its client disconnects, in every phase and for every kind of disconnect.
@Suite(.serialized) struct CancellationTests {
    enum Moment: CaseIterable { case waiting, prefilling, decoding }

    enum Departure: CaseIterable {
        /// FIN of only its sending side, which looks the same as a complete close.
        case halfClose
        case reset
    }

    private func leave(_ client: Int32, _ departure: Departure) {
        switch departure {
        case .halfClose: shutdown(client, Int32(SHUT_WR))
        case .reset:
            // Closing without lingering discards unread input and sends RST.
            var lingering = linger(l_onoff: 1, l_linger: 0)
            setsockopt(client, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
            close(client)
        }
    }

    private func wait(
        for server: TestServer, _ name: String, label: String = "", until holds: (Double) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while try await !(server.metric(name, label: label).map(holds) ?? false) {
            try #require(ContinuousClock.now < deadline, "\(name) does not come true in time")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test(arguments: Moment.allCases, Departure.allCases)
    func `a request ends when its client disconnects`(moment: Moment, departure: Departure) async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 1
            // On a busy machine the estimated wait would be too long.
            $0.queueBounds.wait = nil
            // So that a prompt of 2000 tokens takes 1000 steps.
            $0.engine.maxBatchedTokens = moment == .prefilling ? 2 : 512
            $0.engine.cachesPrefixes = moment != .prefilling
        }
        // Eight choices one after the other, so that it does not finish even if this test is delayed.
        let long: JSONValue = ["prompt": [5, 6], "max_tokens": 2000, "ignore_eos": true, "n": 8]
        let prompt: JSONValue = .array(Array(repeating: 5, count: 2000))
        var running: Int32?
        if moment == .waiting {
            running = try RawClient.complete(server, long)
            try await wait(for: server, "vllm:num_requests_running") { $0 == 1 }
        }
        let before = try await server.metric("vllm:num_requests_waiting") ?? 0
        let client = try RawClient.complete(
            server, moment == .prefilling ? ["prompt": prompt, "max_tokens": 5, "n": 8] : long)
        switch moment {
        case .waiting: try await wait(for: server, "vllm:num_requests_waiting") { $0 == before + 8 }
        case .prefilling: try await wait(for: server, "vllm:num_requests_running") { $0 == 1 }
        case .decoding: try await wait(for: server, "vllm:generation_tokens_total") { $0 > 5 }
        }
        leave(client, departure)
        try await wait(for: server, "vllm:request_success_total", label: "\"abort\"") { $0 > 0 }
        if let running {
            #expect(try await server.metric("vllm:request_success_total", label: "\"abort\"") == 8)
            leave(running, .reset)
        }
        try await wait(for: server, "vllm:kv_cache_usage_perc") { $0 == 0 }
        try await wait(for: server, "vllm:num_requests_running") { $0 == 0 }
        try await wait(for: server, "trinity_wasted_tokens_total") { 0 < $0 && $0 < 16_000 }
        if departure == .halfClose { close(client) }
        await server.stop()
    }
}
