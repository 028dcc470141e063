import Engine

extension Metrics {
    /// The values at the time of a scrape, in addition to the counters.
    struct Snapshot {
        var modelName: String
        var model: LoadedModel?
        var statistics = EngineStatistics()
        /// Choices that the scheduler has started.
        var running = 0
        /// Choices that have not started, including those in preparation.
        var waiting = 0
        /// Requests in preparation.
        var preparing = 0
        /// Requests whose reply has not ended, on all connections.
        var openRequests = 0
        var process = ProcessStatistics()
        /// Whether the engine's current step exceeds the watchdog's timeout.
        var isStalled = false
        /// When the TLS certificate in use expires, in Unix time; `nil` without TLS.
        var certificateEnd: Int?
        /// Whether to include names that vLLM has removed.
        var includesOldNames = false
    }

    /// The text that ``render(_:to:)`` writes to.
    static func page(modelName: String) -> PrometheusText {
        PrometheusText(labels: [("model_name", modelName), ("engine", "0")])
    }

    /// Returns all metrics as Prometheus text.
    func render(_ snapshot: Snapshot) -> [UInt8] {
        var text = Self.page(modelName: snapshot.modelName)
        render(snapshot, to: &text)
        return text.bytes
    }

    /// Writes all metrics as the next page of `text`.
    func render(_ snapshot: Snapshot, to text: inout PrometheusText) {
        text.startPage()
        writeLoad(snapshot, to: &text)
        writeCache(snapshot, to: &text)
        writeTokens(snapshot.statistics, to: &text)
        writeSteps(snapshot, to: &text)
        writeRanks(snapshot, to: &text)
        for counter in [accepted, finished, rejected, rateLimited] { text.write(counter) }
        keys.write(to: &text)
        ignoredParameters.write(to: &text)
        for histogram in [
            timeToFirstToken, interTokenLatency, timePerOutputToken, latency, queueTime, inferenceTime, prefillTime,
            decodeTime, promptLength, computedPromptLength, generationLength,
            // Each choice counts as one request here, so its longest generation is its only one.
            generationLength.renamed("vllm:request_max_num_generation_tokens"), maxTokens, choices, preemptions,
            Histogram(
                "vllm:iteration_tokens_total", "Tokens per engine step.", snapshot.statistics.stepSizes),
        ] { text.write(histogram) }
        if snapshot.includesOldNames { writeOldNames(snapshot, to: &text) }
        // These two are common to all models.
        text.omitLabels()
        replies.write(to: &text)
        snapshot.process.write(to: &text)
    }

    private func writeLoad(_ snapshot: Snapshot, to text: inout PrometheusText) {
        text.gauge("vllm:num_requests_running", "Number of running sequences.", Double(snapshot.running))
        text.gauge(
            "vllm:num_requests_waiting", "Number of waiting sequences, in preparation or in the queue.",
            Double(snapshot.waiting))
        text.gauge(
            "vllm:num_requests_waiting_by_reason",
            "Number of waiting sequences by reason: in the queue (capacity), or in preparation (deferred).",
            [
                ([("reason", "capacity")], Double(snapshot.waiting - snapshot.preparing)),
                ([("reason", "deferred")], Double(snapshot.preparing)),
            ])
        text.gauge(
            "trinity_engine_stalled", "1 while an engine step takes longer than --watchdog-timeout, otherwise 0.",
            snapshot.isStalled ? 1 : 0)
        if let end = snapshot.certificateEnd {
            text.gauge(
                "trinity_tls_certificate_not_after_seconds", "Unix time at which the TLS certificate expires.",
                Double(end))
        }
        text.gauge("trinity_open_requests", "Number of requests in progress.", Double(snapshot.openRequests))
    }

    private func writeCache(_ snapshot: Snapshot, to text: inout PrometheusText) {
        let scheduler = snapshot.statistics.scheduler
        text.gauge(
            "vllm:kv_cache_usage_perc", "KV cache usage by sequences, 0 to 1.", snapshot.cacheUsage)
        text.gauge(
            "trinity_kv_cache_blocks", "KV cache blocks by state.",
            [
                ([("state", "free")], Double(scheduler.freeBlocks)),
                ([("state", "cached")], Double(scheduler.cachedBlocks)),
                ([("state", "global")], Double(scheduler.globalBlocks)),
                ([("state", "sliding")], Double(scheduler.slidingBlocks)),
            ])
        if let geometry = snapshot.model?.geometry {
            text.gauge(
                "vllm:cache_config_info", "Configuration of the KV cache.",
                [
                    (
                        [("block_size", String(geometry.blockSize)), ("num_gpu_blocks", String(geometry.totalBlocks))],
                        1
                    )
                ])
        }
        text.counter(
            "vllm:prefix_cache_queries_total", "Prompt tokens that were looked up in the prefix cache.",
            scheduler.prefixQueries)
        text.counter(
            "vllm:prefix_cache_hits_total", "Prompt tokens that were found in the prefix cache.", scheduler.prefixHits)
        text.counter("vllm:num_preemptions_total", "Number of preemptions.", scheduler.preemptions)
    }

    private func writeTokens(_ statistics: EngineStatistics, to text: inout PrometheusText) {
        let scheduler = statistics.scheduler
        text.counter("vllm:prompt_tokens_total", "Prompt tokens of admitted sequences.", statistics.promptTokens)
        // A preempted sequence may find tokens in the cache that it had computed itself.
        let cached = min(scheduler.prefixHits, statistics.promptTokens)
        text.counter(
            "vllm:prompt_tokens_by_source_total", "Prompt tokens by source: computed or found in the prefix cache.",
            [
                ([("source", "local_compute")], Double(statistics.promptTokens - cached)),
                ([("source", "local_cache_hit")], Double(cached)),
            ])
        text.counter("vllm:prompt_tokens_cached_total", "Prompt tokens found in the prefix cache.", cached)
        text.counter("vllm:generation_tokens_total", "Generated tokens.", statistics.generationTokens)
        text.counter(
            "trinity_wasted_tokens_total", "Tokens computed for sequences that were aborted.", scheduler.wastedTokens)
        text.counter(
            "vllm:spec_decode_num_drafts_total", "Number of drafts that were verified.", scheduler.drafts)
        text.counter("vllm:spec_decode_num_draft_tokens_total", "Number of draft tokens.", scheduler.draftTokens)
        text.counter(
            "vllm:spec_decode_num_accepted_tokens_total", "Number of accepted draft tokens.",
            scheduler.acceptedDraftTokens)
        text.counter(
            "vllm:spec_decode_num_accepted_tokens_per_pos_total",
            "Number of accepted draft tokens by position, from 0.",
            scheduler.acceptedDraftsByPosition.enumerated().map { ([("position", String($0))], Double($1)) })
    }

    private func writeSteps(_ snapshot: Snapshot, to text: inout PrometheusText) {
        let (phases, traffic) = (snapshot.statistics.phases, snapshot.statistics.traffic)
        text.counter("trinity_engine_steps_total", "Number of engine steps.", snapshot.statistics.steps)
        text.counter(
            "trinity_engine_step_seconds_total", "Time spent in engine steps, by phase.",
            [
                ([("phase", "schedule")], phases.schedule / .seconds(1)),
                ([("phase", "forward")], phases.forward / .seconds(1)),
                ([("phase", "sample")], phases.sample / .seconds(1)),
                ([("phase", "report")], phases.report / .seconds(1)),
            ])
        let masks = snapshot.statistics.masks
        text.counter(
            "trinity_mask_computations_total", "Number of token masks of structured output computed.",
            masks.computations)
        text.counter(
            "trinity_mask_seconds_total", "Time spent computing token masks, and waiting for them in engine steps.",
            [
                ([("phase", "compute")], masks.time / .seconds(1)), ([("phase", "wait")], masks.waits / .seconds(1)),
            ])
        text.counter(
            "trinity_mask_deferrals_total",
            "Number of times a sequence skipped a step because its token mask was not ready.",
            masks.deferrals)
        text.counter(
            "trinity_weight_bytes_read_total", "Bytes of weights read by engine steps.", UInt64(traffic.weightBytes))
        text.counter(
            "trinity_kv_cache_bytes_read_total", "Bytes of the KV cache read by engine steps.",
            UInt64(traffic.cacheBytes))
        text.counter(
            "trinity_experts_touched_total", "Routed experts with at least one token, summed over layers and steps.",
            UInt64(traffic.expertsTouched))
        guard let ceiling = snapshot.model?.readBandwidth else { return }
        text.gauge(
            "trinity_memory_bandwidth_bytes_per_second", "Memory read bandwidth of all threads, measured at start.",
            ceiling)
        text.gauge(
            "trinity_memory_bandwidth_ratio", "Share of the memory read bandwidth that recent steps reached.",
            (snapshot.statistics.readRate ?? 0) / ceiling)
    }

    /// Writes vLLM's earlier metric names, for older dashboards.
    private func writeOldNames(_ snapshot: Snapshot, to text: inout PrometheusText) {
        let scheduler = snapshot.statistics.scheduler
        text.write(interTokenLatency.renamed("vllm:time_per_output_token_seconds"))
        text.gauge("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc.", snapshot.cacheUsage)
        text.gauge("vllm:cpu_cache_usage_perc", "Always 0: nothing is swapped.", 0)
        text.gauge("vllm:num_requests_swapped", "Always 0: nothing is swapped.", 0)
        text.counter(
            "vllm:gpu_prefix_cache_queries_total", "vllm:prefix_cache_queries_total.", scheduler.prefixQueries)
        text.counter("vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total.", scheduler.prefixHits)
    }
}

extension Metrics.Snapshot {
    fileprivate var cacheUsage: Double {
        let scheduler = statistics.scheduler
        return Double(scheduler.globalBlocks + scheduler.slidingBlocks) / Double(max(1, scheduler.totalBlocks))
    }
}

extension Histogram {
    /// The number of tokens of steps, from the engine's counts.
    fileprivate init(_ name: String, _ help: String, _ sizes: StepSizes) {
        self.init(name, help, bounds: Self.stepSizes, counts: sizes.counts, sum: Double(sizes.sum))
    }

    private static let stepSizes = StepSizes.bounds.map(Double.init)

    /// Returns the same histogram under another name.
    fileprivate func renamed(_ name: String) -> Histogram {
        Histogram(name, help, bounds: bounds, counts: counts, sum: sum)
    }
}
