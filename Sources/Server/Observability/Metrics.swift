/// The server's metrics, under vLLM's names if vLLM has the same metric, so that dashboards for vLLM work. Owned by the event
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

    /// The number of accepted choices. Each of them ends exactly once.
    var accepted = Counter("trinity_accepted_choices_total", "Number of sequences of accepted requests.")
    /// The number of choices by how they ended. The sum is the number of accepted choices that have ended.
    var finished = Counter(
        "vllm:request_success_total", "Number of finished sequences by finish reason.", label: "finished_reason",
        values: ["stop", "length", "abort", "error"])
    var rejected = Counter(
        "vllm:admission_rejections_total",
        "Number of requests rejected with 503, or with 429 for the share of their API key.",
        label: "reason", values: AdmissionController.Refusal.allCases.map(\.label))
    var rateLimited = Counter(
        "trinity_rate_limited_requests_total",
        "Number of requests rejected with 429 by the rate limit that was reached.",
        label: "limit", values: ["requests", "tokens"])
    var keys = KeyUsage()
    var ignoredParameters = IgnoredParameterCounts()
    var timeToFirstToken = Histogram(
        "vllm:time_to_first_token_seconds", "Time from the arrival of a request to the first token of a sequence.",
        bounds: firstTokenBounds)
    var interTokenLatency = Histogram(
        "vllm:inter_token_latency_seconds", "Time between two tokens of a sequence.", bounds: tokenTimeBounds)
    var timePerOutputToken = Histogram(
        "vllm:request_time_per_output_token_seconds", "Mean time per output token of a finished sequence.",
        bounds: tokenTimeBounds)
    var latency = Histogram(
        "vllm:e2e_request_latency_seconds", "Time from the arrival of a request to the end of a sequence.",
        bounds: latencyBounds)
    var queueTime = Histogram(
        "vllm:request_queue_time_seconds", "Time from the arrival of a request to the first step of a sequence.",
        bounds: latencyBounds
    )
    var inferenceTime = Histogram(
        "vllm:request_inference_time_seconds", "Time from the first step of a sequence to its end.",
        bounds: latencyBounds)
    var prefillTime = Histogram(
        "vllm:request_prefill_time_seconds", "Time from the first step of a sequence to its first token.",
        bounds: latencyBounds)
    var decodeTime = Histogram(
        "vllm:request_decode_time_seconds", "Time from the first token of a sequence to its end.", bounds: latencyBounds
    )
    var promptLength: Histogram
    var computedPromptLength: Histogram
    var generationLength: Histogram
    var maxTokens: Histogram
    var preemptions = Histogram(
        "vllm:request_num_preemptions", "Number of preemptions of a finished sequence.",
        bounds: [1, 2, 3, 4, 5, 10, 20])
    var choices = Histogram(
        "vllm:request_params_n", "The parameter n of accepted requests.", bounds: [1, 2, 5, 10, 20])

    /// The number of replies by route, method and status class.
    var replies = ReplyCounts()

    /// - Parameter maxModelLength: the largest bucket of the token histograms.
    init(maxModelLength: Int) {
        let bounds = Histogram.bounds(upTo: maxModelLength)
        promptLength = Histogram("vllm:request_prompt_tokens", "Prompt tokens of finished sequences.", bounds: bounds)
        computedPromptLength = Histogram(
            "vllm:request_prefill_kv_computed_tokens", "Prompt tokens of finished sequences that were computed.",
            bounds: bounds)
        maxTokens = Histogram(
            "vllm:request_params_max_tokens", "Maximum completion tokens of an accepted sequence.", bounds: bounds)
        generationLength = Histogram(
            "vllm:request_generation_tokens", "Generated tokens of finished sequences.", bounds: bounds)
    }

    /// Sets the buckets for the model. Keeps the counts of replies and refusals from before it was loaded.
    mutating func modelLoaded(maxModelLength: Int) {
        var metrics = Metrics(maxModelLength: maxModelLength)
        (metrics.rejected, metrics.rateLimited, metrics.keys) = (rejected, rateLimited, keys)
        metrics.replies = replies
        self = metrics
    }
}
