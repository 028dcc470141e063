import Engine

extension Metrics {
    /// What the moment of a scrape adds to what was counted.
    struct Moment {
        var modelName: String
        var model: LoadedModel?
        var statistics = EngineStatistics()
        /// Choices that the scheduler has started.
        var running = 0
        /// Choices before that, preparation included.
        var waiting = 0
        /// Requests in preparation.
        var preparing = 0
        /// Requests whose reply has not ended, on all connections.
        var openRequests = 0
        var process = ProcessStatistics()
        /// Whether the engine has not ended its step within the watchdog's timeout.
        var isStalled = false
        /// When the TLS certificate in use expires, in Unix time; `nil` without TLS.
        var certificateEnd: Int?
        /// Whether names that vLLM has given up are there too.
        var includesOldNames = false
    }

    /// Everything as Prometheus text.
    func render(_ moment: Moment) -> [UInt8] {
        var text = PrometheusText(labels: [("model_name", moment.modelName), ("engine", "0")])
        writeLoad(moment, to: &text)
        writeCache(moment, to: &text)
        writeTokens(moment.statistics, to: &text)
        writeSteps(moment, to: &text)
        for counter in [accepted, finished, rejected, rateLimited] { text.write(counter) }
        keys.write(to: &text)
        for histogram in [
            timeToFirstToken, interTokenLatency, timePerOutputToken, latency, queueTime, inferenceTime, prefillTime,
            decodeTime, promptLength, computedPromptLength, generationLength,
            // One choice is one request here, so that its longest reply is its reply.
            generationLength.renamed("vllm:request_max_num_generation_tokens"), maxTokens, choices, preemptions,
            Histogram(
                "vllm:iteration_tokens_total", "Tokens that a step computed.", moment.statistics.stepSizes),
        ] { text.write(histogram) }
        if moment.includesOldNames { writeOldNames(moment, to: &text) }
        // These two are everybody's, and have no labels of a model.
        var plain = PrometheusText(labels: [])
        replies.write(to: &plain)
        moment.process.write(to: &plain)
        text.append(plain)
        return text.bytes
    }

    private func writeLoad(_ moment: Moment, to text: inout PrometheusText) {
        text.gauge("vllm:num_requests_running", "Choices being computed.", Double(moment.running))
        text.gauge(
            "vllm:num_requests_waiting", "Choices that wait, in preparation or in the queue.", Double(moment.waiting))
        text.gauge(
            "vllm:num_requests_waiting_by_reason",
            "Choices that wait for their turn (capacity), and requests that are being prepared (deferred).",
            [
                ([("reason", "capacity")], Double(moment.waiting - moment.preparing)),
                ([("reason", "deferred")], Double(moment.preparing)),
            ])
        text.gauge(
            "trinity_engine_stalled", "1 while a step takes longer than --watchdog-timeout, else 0.",
            moment.isStalled ? 1 : 0)
        if let end = moment.certificateEnd {
            text.gauge(
                "trinity_tls_certificate_not_after_seconds", "When the TLS certificate expires, in Unix time.",
                Double(end))
        }
        text.gauge("trinity_open_requests", "Requests whose reply has not ended.", Double(moment.openRequests))
    }

    private func writeCache(_ moment: Moment, to text: inout PrometheusText) {
        let scheduler = moment.statistics.scheduler
        text.gauge(
            "vllm:kv_cache_usage_perc", "Share of the KV pool that sequences hold, 0 to 1.", moment.cacheUsage)
        text.gauge(
            "trinity_kv_cache_blocks", "Blocks of the KV pool by use.",
            [
                ([("state", "free")], Double(scheduler.freeBlocks)),
                ([("state", "cached")], Double(scheduler.cachedBlocks)),
                ([("state", "global")], Double(scheduler.globalBlocks)),
                ([("state", "sliding")], Double(scheduler.slidingBlocks)),
            ])
        if let geometry = moment.model?.geometry {
            text.gauge(
                "vllm:cache_config_info", "The KV pool's shape.",
                [
                    (
                        [("block_size", String(geometry.blockSize)), ("num_gpu_blocks", String(geometry.totalBlocks))],
                        1
                    )
                ])
        }
        text.counter(
            "vllm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.", scheduler.prefixQueries)
        text.counter("vllm:prefix_cache_hits_total", "Prompt tokens that the prefix cache had.", scheduler.prefixHits)
        text.counter("vllm:num_preemptions_total", "Choices sent back to the queue.", scheduler.preemptions)
    }

    private func writeTokens(_ statistics: EngineStatistics, to text: inout PrometheusText) {
        let scheduler = statistics.scheduler
        text.counter("vllm:prompt_tokens_total", "Prompt tokens of admitted choices.", statistics.promptTokens)
        // A preempted sequence may find in the cache what it had computed itself.
        let cached = min(scheduler.prefixHits, statistics.promptTokens)
        text.counter(
            "vllm:prompt_tokens_by_source_total", "Prompt tokens by where their keys and values came from.",
            [
                ([("source", "local_compute")], Double(statistics.promptTokens - cached)),
                ([("source", "local_cache_hit")], Double(cached)),
            ])
        text.counter("vllm:prompt_tokens_cached_total", "Prompt tokens that were not computed.", cached)
        text.counter("vllm:generation_tokens_total", "Generated tokens.", statistics.generationTokens)
        text.counter(
            "trinity_wasted_tokens_total", "Tokens computed for choices that were aborted.", scheduler.wastedTokens)
        text.counter(
            "vllm:spec_decode_num_drafts_total", "Guesses of next tokens that were verified.", scheduler.drafts)
        text.counter("vllm:spec_decode_num_draft_tokens_total", "Tokens of these guesses.", scheduler.draftTokens)
        text.counter(
            "vllm:spec_decode_num_accepted_tokens_total", "Guessed tokens that were what was sampled.",
            scheduler.acceptedDraftTokens)
        text.counter(
            "vllm:spec_decode_num_accepted_tokens_per_pos_total", "The same by place in the guess, from 0.",
            scheduler.acceptedDraftsByPosition.enumerated().map { ([("position", String($0))], Double($1)) })
    }

    private func writeSteps(_ moment: Moment, to text: inout PrometheusText) {
        let (phases, traffic) = (moment.statistics.phases, moment.statistics.traffic)
        text.counter("trinity_engine_steps_total", "Steps of the engine.", moment.statistics.steps)
        text.counter(
            "trinity_engine_step_seconds_total", "Time that steps have spent, by phase.",
            [
                ([("phase", "schedule")], phases.schedule / .seconds(1)),
                ([("phase", "forward")], phases.forward / .seconds(1)),
                ([("phase", "sample")], phases.sample / .seconds(1)),
                ([("phase", "report")], phases.report / .seconds(1)),
            ])
        let masks = moment.statistics.masks
        text.counter(
            "trinity_mask_computations_total", "Masks of structured replies that were worked out beside the engine.",
            masks.computations)
        text.counter(
            "trinity_mask_seconds_total", "Time that these took, and that steps waited for them.",
            [
                ([("phase", "compute")], masks.time / .seconds(1)), ([("phase", "wait")], masks.waits / .seconds(1)),
            ])
        text.counter(
            "trinity_mask_deferrals_total", "Times that a choice skipped a step because its mask was not ready.",
            masks.deferrals)
        text.counter(
            "trinity_weight_bytes_read_total", "Bytes of weights that steps have read.", UInt64(traffic.weightBytes))
        text.counter(
            "trinity_kv_cache_bytes_read_total", "Bytes of keys and values that steps have read.",
            UInt64(traffic.cacheBytes))
        text.counter(
            "trinity_experts_touched_total", "Routed experts that got a token in a step, over all layers and steps.",
            UInt64(traffic.expertsTouched))
        guard let ceiling = moment.model?.readBandwidth else { return }
        text.gauge(
            "trinity_memory_bandwidth_bytes_per_second", "What all threads read of memory, as measured at start.",
            ceiling)
        text.gauge(
            "trinity_memory_bandwidth_ratio", "Share of that which recent steps have read.",
            (moment.statistics.readRate ?? 0) / ceiling)
    }

    /// What older dashboards ask for: names that vLLM had before.
    private func writeOldNames(_ moment: Moment, to text: inout PrometheusText) {
        let scheduler = moment.statistics.scheduler
        text.write(interTokenLatency.renamed("vllm:time_per_output_token_seconds"))
        text.gauge("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc.", moment.cacheUsage)
        text.gauge("vllm:cpu_cache_usage_perc", "Nothing is swapped.", 0)
        text.gauge("vllm:num_requests_swapped", "Nothing is swapped.", 0)
        text.counter(
            "vllm:gpu_prefix_cache_queries_total", "vllm:prefix_cache_queries_total.", scheduler.prefixQueries)
        text.counter("vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total.", scheduler.prefixHits)
    }
}

extension Metrics.Moment {
    fileprivate var cacheUsage: Double {
        let scheduler = statistics.scheduler
        return Double(scheduler.globalBlocks + scheduler.slidingBlocks) / Double(max(1, scheduler.totalBlocks))
    }
}

extension Histogram {
    /// What steps computed, as the engine counted it.
    fileprivate init(_ name: String, _ help: String, _ sizes: StepSizes) {
        self.init(
            name, help, bounds: StepSizes.bounds.map(Double.init), counts: sizes.counts, sum: Double(sizes.sum))
    }

    /// The same under another name.
    fileprivate func renamed(_ name: String) -> Histogram {
        Histogram(name, help, bounds: bounds, counts: counts, sum: sum)
    }
}
