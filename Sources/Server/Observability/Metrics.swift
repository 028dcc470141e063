import Engine
import Foundation

/// The server's own counts, under vLLM's names where vLLM has the thing, so that its dashboards work. Owned by the event
/// loop.
struct Metrics: Sendable {
    private static let latencyBounds = [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ]
    private static let tokenTimeBounds = [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ]
    private static let firstTokenBounds = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
        2560,
    ]

    /// Choices by how they ended; their sum is the number of accepted choices that have ended.
    var finished = Counter(
        "vllm:request_success_total", "Finished choices by reason.", label: "finished_reason",
        values: ["stop", "length", "abort", "error"])
    var rejected = Counter(
        "vllm:admission_rejections_total", "Requests refused with 503 before they were accepted.", label: "reason",
        values: ["max_num_queued_reqs", "max_num_queued_tokens", "max_queue_wait"])
    var rateLimited = Counter(
        "trinity_rate_limited_requests_total", "Requests refused with 429, by what their key had used up.",
        label: "limit", values: ["requests", "tokens"])
    var keys = KeyUsage()
    var timeToFirstToken = Histogram(
        "vllm:time_to_first_token_seconds", "From a request's arrival to its choice's first token.",
        bounds: firstTokenBounds)
    var interTokenLatency = Histogram(
        "vllm:inter_token_latency_seconds", "Between two tokens of a choice.", bounds: tokenTimeBounds)
    var timePerOutputToken = Histogram(
        "vllm:request_time_per_output_token_seconds", "Mean time between the tokens of a finished choice.",
        bounds: tokenTimeBounds)
    var latency = Histogram(
        "vllm:e2e_request_latency_seconds", "From a request's arrival to its choice's end.", bounds: latencyBounds)
    var queueTime = Histogram(
        "vllm:request_queue_time_seconds", "From a request's arrival to its choice's first step.", bounds: latencyBounds
    )
    var inferenceTime = Histogram(
        "vllm:request_inference_time_seconds", "From a choice's first step to its end.", bounds: latencyBounds)
    var prefillTime = Histogram(
        "vllm:request_prefill_time_seconds", "From a choice's first step to its first token.", bounds: latencyBounds)
    var decodeTime = Histogram(
        "vllm:request_decode_time_seconds", "From a choice's first token to its end.", bounds: latencyBounds)
    var promptLength: Histogram
    var generationLength: Histogram
    var choices = Histogram(
        "vllm:request_params_n", "The parameter n of accepted requests.", bounds: [1, 2, 5, 10, 20])

    /// - Parameter maxModelLength: the largest bucket of the token histograms.
    init(maxModelLength: Int) {
        let bounds = Histogram.bounds(upTo: maxModelLength)
        promptLength = Histogram("vllm:request_prompt_tokens", "Prompt tokens of finished choices.", bounds: bounds)
        generationLength = Histogram(
            "vllm:request_generation_tokens", "Generated tokens of finished choices.", bounds: bounds)
    }

    /// Everything as Prometheus text.
    ///
    /// - Parameters:
    ///   - running: choices that the scheduler has started.
    ///   - waiting: choices before that, preparation included.
    ///   - preparing: requests in preparation.
    func render(
        modelName: String, model: LoadedModel?, statistics: EngineStatistics, running: Int, waiting: Int, preparing: Int
    ) -> [UInt8] {
        var text = PrometheusText(labels: [("model_name", modelName), ("engine", "0")])
        text.gauge("vllm:num_requests_running", "Choices being computed.", Double(running))
        text.gauge("vllm:num_requests_waiting", "Choices that wait, in preparation or in the queue.", Double(waiting))
        text.gauge(
            "vllm:num_requests_waiting_by_reason",
            "Choices that wait for their turn (capacity), and requests that are being prepared (deferred).",
            [([("reason", "capacity")], Double(waiting - preparing)), ([("reason", "deferred")], Double(preparing))])
        let poolSize = Double(max(1, statistics.scheduler.totalBlocks))
        text.gauge(
            "vllm:kv_cache_usage_perc", "Share of the KV pool that sequences hold, 0 to 1.",
            Double(statistics.scheduler.globalBlocks + statistics.scheduler.slidingBlocks) / poolSize)
        text.gauge(
            "trinity_kv_cache_blocks", "Blocks of the KV pool by use.",
            [
                ([("state", "free")], Double(statistics.scheduler.freeBlocks)),
                ([("state", "cached")], Double(statistics.scheduler.cachedBlocks)),
                ([("state", "global")], Double(statistics.scheduler.globalBlocks)),
                ([("state", "sliding")], Double(statistics.scheduler.slidingBlocks)),
            ])
        if let geometry = model?.geometry {
            text.gauge(
                "vllm:cache_config_info", "The KV pool's shape.",
                [
                    (
                        [("block_size", String(geometry.blockSize)), ("num_gpu_blocks", String(geometry.totalBlocks))],
                        1
                    )
                ])
        }
        text.write(total("vllm:prompt_tokens_total", "Prompt tokens of admitted choices.", statistics.promptTokens))
        text.write(
            total(
                "vllm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.",
                statistics.scheduler.prefixQueries))
        text.write(
            total(
                "vllm:prefix_cache_hits_total", "Prompt tokens that the prefix cache had.",
                statistics.scheduler.prefixHits))
        text.write(total("vllm:generation_tokens_total", "Generated tokens.", statistics.generationTokens))
        let scheduler = statistics.scheduler
        text.write(
            total("vllm:spec_decode_num_drafts_total", "Guesses of next tokens that were verified.", scheduler.drafts))
        text.write(total("vllm:spec_decode_num_draft_tokens_total", "Tokens of these guesses.", scheduler.draftTokens))
        text.write(
            total(
                "vllm:spec_decode_num_accepted_tokens_total", "Guessed tokens that were what was sampled.",
                scheduler.acceptedDraftTokens))
        text.write(
            total("vllm:num_preemptions_total", "Choices sent back to the queue.", statistics.scheduler.preemptions))
        text.write(
            total(
                "trinity_wasted_tokens_total", "Tokens computed for choices that were aborted.",
                statistics.scheduler.wastedTokens))
        text.write(total("trinity_engine_steps_total", "Steps of the engine.", statistics.steps))
        let phases = statistics.phases
        text.counter(
            "trinity_engine_step_seconds_total", "Time that steps have spent, by phase.",
            [
                ([("phase", "schedule")], phases.schedule / .seconds(1)),
                ([("phase", "forward")], phases.forward / .seconds(1)),
                ([("phase", "sample")], phases.sample / .seconds(1)),
                ([("phase", "report")], phases.report / .seconds(1)),
            ])
        let traffic = statistics.traffic
        text.write(
            total(
                "trinity_weight_bytes_read_total", "Bytes of weights that steps have read.", UInt64(traffic.weightBytes)
            ))
        text.write(
            total(
                "trinity_kv_cache_bytes_read_total", "Bytes of keys and values that steps have read.",
                UInt64(traffic.cacheBytes)))
        text.write(
            total(
                "trinity_experts_touched_total",
                "Routed experts that got a token in a step, over all layers and steps.",
                UInt64(traffic.expertsTouched)))
        for counter in [finished, rejected, rateLimited] { text.write(counter) }
        keys.write(to: &text)
        for histogram in [
            timeToFirstToken, interTokenLatency, timePerOutputToken, latency, queueTime, inferenceTime, prefillTime,
            decodeTime, promptLength, generationLength, choices,
        ] { text.write(histogram) }
        text.gauge("process_resident_memory_bytes", "Resident memory.", Double(Self.residentBytes()))
        return Array(text.text.utf8)
    }

    private func total(_ name: String, _ help: String, _ value: UInt64) -> Counter {
        var counter = Counter(name, help)
        counter.set(value)
        return counter
    }

    /// Resident pages of this process, from /proc/self/statm.
    private static func residentBytes() -> Int {
        guard let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let fields = statm.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}
