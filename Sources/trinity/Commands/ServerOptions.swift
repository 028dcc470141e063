import ArgumentParser
import Foundation
import Server

/// The options of a server, as flags: texts, which ``ServerConfiguration`` checks wherever they come from.
struct ServerOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Folder of a model: config.json, safetensors, tokenizer.json (default: \(ServerConfiguration.defaultModel)).
            """, valueName: "dir"))
    var model: String?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Address to listen on (default: 127.0.0.1).", valueName: "address"))
    var host: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Port to listen on; 0 lets the system choose (default: 8000).", valueName: "n"))
    var port: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Name of the model in requests (default: the folder's name).", valueName: "name"))
    var servedModelName: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads that compute (default: the CPUs this process may use).", valueName: "n"))
    var threads: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Longest sequence, prompt and completion together (default: the model's own, as far as memory allows).",
            valueName: "n"))
    var maxModelLen: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Sequences that run at the same time, at most (default: 64).", valueName: "n"))
    var maxSequences: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens that one step computes at most (default: 512).", valueName: "n"))
    var maxBatchedTokens: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long prompts of others may hold up running streams, such as 50ms, or off (default: 100ms).",
            valueName: "time"))
    var maxInterTokenLatency: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Sequences that may wait beyond those that run; more get 503 (default: 256).", valueName: "n"))
    var maxQueuedRequests: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Prompt tokens that may wait for their first answer, or off; more get 503 (default: 262144).",
            valueName: "n"))
    var maxQueuedTokens: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Estimated wait over which a request gets 503, such as 30s, or off (default: 2m).", valueName: "time"))
    var maxQueueWait: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Memory of the KV cache, such as 4GiB (default: what --max-sequences can use, up to 80 % of free memory).",
            valueName: "size"))
    var kvCacheMemory: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Type of keys and values in the cache: f32, bf16 or fp8 (default: bf16 in fast mode, else f32).",
            valueName: "type"))
    var kvCacheDtype: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Whether prompts reuse what the cache has of their beginning: on or off (default: on).",
            valueName: "on|off"))
    var prefixCache: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Guess next tokens and verify them at once: ngram guesses what followed the last tokens before; off does not \
            (default: off).
            """,
            valueName: "off|ngram"))
    var speculative: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens that are guessed at once, at most (default: 8).", valueName: "n"))
    var speculativeTokens: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Matrix products: fast rounds activations to bfloat16 where the CPU has it, exact does not, blas is OpenBLAS, a \
            yardstick whose results depend on load (default: fast).
            """,
            valueName: "mode"))
    var compute: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Instruction set to compute with: portable, avx2 or avx512 (default: the best of this CPU).",
            valueName: "set"))
    var kernels: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Weights in memory: auto keeps them as stored, fp8 quantises linear layers and head at load (default: auto).",
            valueName: "format"))
    var weights: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long running requests may take to finish after SIGTERM (default: 30).", valueName: "seconds"))
    var drainTimeout: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Time that one step of the engine may take before /health is 503, such as 5m, or off (default: 60s).",
            valueName: "time"))
    var watchdogTimeout: String?
    @Flag(
        help: "Let users and tools write special tokens in their messages; otherwise those are ordinary text.")
    var trustUserContent = false
    @Flag(help: "Share cached prompt prefixes between API keys; otherwise each key has its own.")
    var sharePrefixCache = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Where replies reason: auto (as the chat template shows), none, think or deepseek_r1 (default: auto).",
            valueName: "name"))
    var reasoningParser: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How replies call tools: auto (as the chat template shows), none, hermes or qwen3_coder (default: auto).",
            valueName: "name"))
    var toolCallParser: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Log: trace, debug, info, notice, warning, error or critical (default: info).", valueName: "level"))
    var logLevel: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Log lines: text, or json for one object a line (default: text).", valueName: "format"))
    var logFormat: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The key that requests must come with; better given as TRINITY_API_KEY (default: none, all are let in).",
            valueName: "key"))
    var apiKey: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "More keys: a name and a key, or sha256: and its digest, a line.", valueName: "file"))
    var apiKeyFile: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Who may read /metrics: open (all) or key (default: open).", valueName: "who"))
    var metricsAccess: String?
    @Flag(help: "Have /metrics write names that vLLM has given up as well, for older dashboards.")
    var metricsCompat = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Whether there is a page to chat at /: on or off (default: on).", valueName: "on|off"))
    var webPage: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Requests a minute of each key, unless its line in the file says otherwise; more get 429 (default: no limit).",
            valueName: "n"))
    var requestsPerMinute: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The same of tokens, of prompts and of what is generated (default: no limit).", valueName: "n"))
    var tokensPerMinute: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Origins of web pages that may use the API from a browser, with commas between, or * (default: none).",
            valueName: "origins"))
    var corsOrigins: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Host names of the server beside localhost, with commas between, or * (default: all unless on loopback without keys).",
            valueName: "names"))
    var allowedHosts: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Serve HTTPS: certificate and those that vouch for it, as PEM; looked at again every 5 s and on SIGHUP.",
            valueName: "file"))
    var tlsCertFile: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("The certificate's private key, as PEM.", valueName: "file"))
    var tlsKeyFile: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Let in only clients with a certificate of one of these authorities, as PEM (default: no such need).",
            valueName: "file"))
    var tlsClientCaFile: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Connections at a time, at most, beside a few for probes and scrapes (default: 1024).", valueName: "n"))
    var maxConnections: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Memory for the bodies of all requests; more get 503 (default: 256MiB).", valueName: "size"))
    var maxBodyMemory: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("A file of these options: one JSON object, {\"port\": 9000}.", valueName: "file"))
    var config: String?

    /// - Throws: what is wrong with the options, for the user.
    func configuration() throws -> ServerConfiguration {
        let given: [(ServerConfiguration.Option, String?)] = [
            (.model, model), (.host, host), (.port, port), (.servedModelName, servedModelName), (.threads, threads),
            (.maxModelLen, maxModelLen), (.maxSequences, maxSequences), (.maxBatchedTokens, maxBatchedTokens),
            (.maxInterTokenLatency, maxInterTokenLatency), (.maxQueuedRequests, maxQueuedRequests),
            (.maxQueuedTokens, maxQueuedTokens), (.maxQueueWait, maxQueueWait), (.kvCacheMemory, kvCacheMemory),
            (.kvCacheDtype, kvCacheDtype),
            (.prefixCache, prefixCache), (.speculative, speculative), (.speculativeTokens, speculativeTokens),
            (.compute, compute), (.kernels, kernels), (.weights, weights),
            (.drainTimeout, drainTimeout), (.watchdogTimeout, watchdogTimeout),
            (.reasoningParser, reasoningParser), (.toolCallParser, toolCallParser), (.logLevel, logLevel),
            (.apiKey, apiKey), (.apiKeyFile, apiKeyFile), (.metricsAccess, metricsAccess),
            (.metricsCompat, metricsCompat ? "true" : nil), (.webPage, webPage),
            (.requestsPerMinute, requestsPerMinute), (.tokensPerMinute, tokensPerMinute), (.corsOrigins, corsOrigins),
            (.allowedHosts, allowedHosts), (.maxBodyMemory, maxBodyMemory),
            (.tlsCertFile, tlsCertFile), (.tlsKeyFile, tlsKeyFile), (.tlsClientCaFile, tlsClientCaFile),
            (.maxConnections, maxConnections), (.config, config),
            (.logFormat, logFormat), (.trustUserContent, trustUserContent ? "true" : nil),
            (.sharePrefixCache, sharePrefixCache ? "true" : nil),
        ]
        var flags: [ServerConfiguration.Option: String] = [:]
        for (option, value) in given { flags[option] = value }
        do throws(ConfigurationError) {
            return try ServerConfiguration(flags: flags, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
