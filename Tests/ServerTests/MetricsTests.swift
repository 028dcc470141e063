import Engine
import Foundation
import TestSupport
import Testing

@testable import Server

@Suite struct MetricsTests {
    @Test func `a histogram counts each observation in every bucket that includes it`() {
        var histogram = Histogram("h", "Help.", bounds: [1, 2, 5])
        for value in [0.5, 1, 1.5, 7] { histogram.observe(value) }
        var text = PrometheusText(labels: [("model_name", "m\"\\\n")])
        text.write(histogram)
        #expect(
            text.text == """
                # HELP h Help.
                # TYPE h histogram
                h_bucket{model_name="m\\"\\\\\\n",le="1"} 2
                h_bucket{model_name="m\\"\\\\\\n",le="2"} 3
                h_bucket{model_name="m\\"\\\\\\n",le="5"} 3
                h_bucket{model_name="m\\"\\\\\\n",le="+Inf"} 4
                h_sum{model_name="m\\"\\\\\\n"} 10
                h_count{model_name="m\\"\\\\\\n"} 4

                """)
    }

    @Test func `a labelled counter has every value from the start`() {
        var counter = Counter("c_total", "Help.", label: "reason", values: ["a", "b"])
        counter.add(2, label: "b")
        var text = PrometheusText(labels: [])
        text.write(counter)
        #expect(
            text.text == """
                # HELP c_total Help.
                # TYPE c_total counter
                c_total{reason="a"} 0
                c_total{reason="b"} 2

                """)
    }

    @Test(
        arguments: [(1, [1]), (9, [1, 2, 5, 10]), (2048, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000])]
            as [(Int, [Double])])
    func `token buckets reach the longest sequence`(limit: Int, bounds: [Double]) {
        #expect(Histogram.bounds(upTo: limit) == bounds)
    }

    @Test func `a step's time and traffic, and the two reasons of waiting, are exported`() {
        var statistics = EngineStatistics()
        statistics.phases.forward = .milliseconds(1250)
        statistics.traffic = MemoryTraffic(weightBytes: 7, cacheBytes: 8, expertsTouched: 9)
        statistics.stepSizes.add(8)
        statistics.stepSizes.add(20_000)
        statistics.scheduler.acceptedDraftsByPosition = [5, 3]
        statistics.scheduler.prefixHits = 30
        statistics.promptTokens = 40
        var snapshot = Metrics.Snapshot(modelName: "m", model: nil, statistics: statistics)
        (snapshot.running, snapshot.waiting, snapshot.preparing) = (1, 5, 2)
        let text = String(decoding: Metrics(maxModelLength: 100).render(snapshot), as: UTF8.self)
        for line in [
            #"vllm:num_requests_waiting_by_reason{model_name="m",engine="0",reason="capacity"} 3"#,
            #"vllm:num_requests_waiting_by_reason{model_name="m",engine="0",reason="deferred"} 2"#,
            #"trinity_engine_step_seconds_total{model_name="m",engine="0",phase="schedule"} 0"#,
            #"trinity_engine_step_seconds_total{model_name="m",engine="0",phase="forward"} 1.25"#,
            #"trinity_weight_bytes_read_total{model_name="m",engine="0"} 7"#,
            #"trinity_kv_cache_bytes_read_total{model_name="m",engine="0"} 8"#,
            #"trinity_experts_touched_total{model_name="m",engine="0"} 9"#,
            #"vllm:iteration_tokens_total_bucket{model_name="m",engine="0",le="8"} 1"#,
            #"vllm:iteration_tokens_total_bucket{model_name="m",engine="0",le="16384"} 1"#,
            #"vllm:iteration_tokens_total_sum{model_name="m",engine="0"} 20008"#,
            #"vllm:spec_decode_num_accepted_tokens_per_pos_total{model_name="m",engine="0",position="1"} 3"#,
            #"vllm:prompt_tokens_by_source_total{model_name="m",engine="0",source="local_compute"} 10"#,
            #"vllm:prompt_tokens_cached_total{model_name="m",engine="0"} 30"#,
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }

    @Test func `the metric names of dashboards exist`() {
        var snapshot = Metrics.Snapshot(modelName: "m", model: nil)
        (snapshot.running, snapshot.waiting) = (1, 2)
        let text = String(decoding: Metrics(maxModelLength: 100).render(snapshot), as: UTF8.self)
        for name in [
            "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc",
            "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total", "vllm:prompt_tokens_total",
            "vllm:generation_tokens_total", "vllm:request_success_total", "vllm:iteration_tokens_total",
            "vllm:request_params_max_tokens", "vllm:request_max_num_generation_tokens",
            "vllm:request_prefill_kv_computed_tokens", "vllm:request_num_preemptions",
            "vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds", "vllm:e2e_request_latency_seconds",
        ] {
            #expect(text.contains("# TYPE \(name) "), "\(name)")
        }
        #expect(text.contains("vllm:num_requests_waiting{model_name=\"m\",engine=\"0\"} 2\n"))
    }

    @Test func `the manual explains every metric`() throws {
        var metrics = Metrics(maxModelLength: 100)
        metrics.keys.add(.init(requests: 1), key: "ann")
        var snapshot = Metrics.Snapshot(modelName: "m", model: nil)
        snapshot.includesOldNames = true
        snapshot.certificateEnd = 1
        let text = String(decoding: metrics.render(snapshot), as: UTF8.self)
        let manual = try String(
            contentsOf: Fixtures.repository.appending(path: "docs/metrics.md"), encoding: .utf8)
        let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(names.count > 20)
        for name in names { #expect(manual.contains("`\(name)`"), "\(name)") }
    }

    @Test func `old names exist only on request`() {
        var metrics = Metrics(maxModelLength: 100)
        metrics.interTokenLatency.observe(0.03)
        var snapshot = Metrics.Snapshot(modelName: "m", model: nil)
        let old = #"vllm:time_per_output_token_seconds_count{model_name="m",engine="0"} 1"#
        #expect(!String(decoding: metrics.render(snapshot), as: UTF8.self).contains(old))
        snapshot.includesOldNames = true
        #expect(String(decoding: metrics.render(snapshot), as: UTF8.self).contains(old))
    }

    @Test func `a page with copied parts equals a page written from scratch`() {
        var metrics = Metrics(maxModelLength: 100)
        var snapshot = Metrics.Snapshot(modelName: "m", model: nil)
        var page = Metrics.page(modelName: "m")
        var random = SeededGenerator(seed: 5)
        for round in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: metrics.latency.observe(Double.random(in: 0...20, using: &random))
            case 1: metrics.finished.add(label: ["stop", "length"].randomElement(using: &random) ?? "stop")
            case 2: snapshot.running = Int.random(in: 0...3, using: &random)
            case 3: snapshot.statistics.scheduler.prefixHits += 1
            case 4: snapshot.statistics.stepSizes.add(Int.random(in: 1...3000, using: &random))
            // These appear and disappear, which moves the metrics after them.
            case 5: snapshot.certificateEnd = Bool.random(using: &random) ? 5 : nil
            case 6: snapshot.includesOldNames = Bool.random(using: &random)
            case 7: metrics.replies.add(route: .models, method: "GET", status: 200)
            case 8: metrics.keys.add(.init(requests: 1), key: "key\(Int.random(in: 0...3, using: &random))")
            default: break
            }
            metrics.render(snapshot, to: &page)
            #expect(page.bytes == metrics.render(snapshot), "round \(round)")
        }
    }

    @Test
    func `replies are counted by route, method and class, probes are not, and loading the model keeps the counts`() {
        var metrics = Metrics(maxModelLength: 100)
        metrics.replies.add(route: .models, method: "GET", status: 503)
        metrics.modelLoaded(maxModelLength: 200)
        metrics.replies.add(route: .models, method: "GET", status: 503)
        metrics.replies.add(route: .model, method: "GET", status: 200)
        metrics.replies.add(route: .health, method: "GET", status: 200)
        metrics.replies.add(route: nil, method: "BREW", status: 404)
        let text = String(decoding: metrics.render(.init(modelName: "m", model: nil)), as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("http_requests_total{") }
        #expect(
            lines == [
                #"http_requests_total{handler="/v1/models",method="GET",status="5xx"} 2"#,
                #"http_requests_total{handler="/v1/models/{model}",method="GET",status="2xx"} 1"#,
                #"http_requests_total{handler="none",method="other",status="4xx"} 1"#,
            ])
    }

    @Test func `the system's statistics of this process exist`() {
        let process = ProcessStatistics.now()
        #expect(process.residentBytes > 1e6 && process.virtualBytes > process.residentBytes)
        #expect(process.cpuSeconds > 0)
        #expect(process.openDescriptors > 2 && process.maxDescriptors >= process.openDescriptors)
        let age = Date().timeIntervalSince1970 - process.startSeconds
        #expect(age > 0 && age < 3600 && abs(ProcessStatistics.now().startSeconds - process.startSeconds) < 1)
    }
}
