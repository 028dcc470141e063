import Engine
import Logging

extension ServerConfiguration.Option {
    /// The table of all options. Names are vLLM's if an option means the same there.
    public var entry: OptionEntry {
        switch self {
        case .model:
            .init(
                .model, .folder, "model", standard: .value(ServerConfiguration.defaultModel),
                """
                Folder of the checkpoint, in Hugging Face format or with a GGUF file, or the GGUF file itself, or its name on the \
                Hugging Face Hub (`owner/name`, `owner/name@revision`, `owner/name:Q4_K_M`), from which it is downloaded if it is \
                not in the cache.
                """,
                values: "a folder, a file, or a name on the Hub")
        case .tokenizer:
            .init(
                .model, .folder, "dir", standard: .described("the model's"),
                "Folder with `tokenizer.json` and the chat template.", values: "a folder")
        case .servedModelName:
            .init(
                .model, .names, "names",
                standard: .described("the folder name; in a Hugging Face cache, the repository name"),
                """
                Names of the model in the API, separated by commas, or in several options. A reply has the name from \
                its request, or the first name if the request has none.
                """)
        case .maxModelLen:
            .init(
                .model, .integer(1...1 << 30), "n",
                standard: .described("the model's own maximum, reduced to what memory allows"),
                "Maximum tokens of a sequence, prompt and completion together.", values: "1 to 2^30 tokens")
        case .quantization:
            .init(
                .model, .choice(EngineOptions.Quantization.allCases.map(\.rawValue)), "format",
                standard: .value("auto"),
                """
                Format of the weights in memory. `auto` keeps the format of the checkpoint. The others quantize linear layers \
                and the head while loading: `int4` and `nvfp4` to 4 bits, with the head in `int8`. A checkpoint of fewer than \
                8 bits is not quantized again; `fp8` and `int8` then apply to its other matrices.
                """,
                aliases: ["weights"])
        case .reasoningParser:
            .init(
                .model, .choice(ServerConfiguration.ReasoningParser.allCases.map(\.rawValue)), "name",
                standard: .value("auto"),
                """
                Format of reasoning in the output. `auto` detects it from the chat template. `think`: reasoning is between \
                `<think>` and `</think>`. `deepseek_r1`: the same, but the reply starts without `<think>`.
                """)
        case .toolCallParser:
            .init(
                .model, .choice(ServerConfiguration.ToolCallParser.allCases.map(\.rawValue)), "name",
                standard: .value("auto"),
                """
                Format of tool calls in the output. `auto` detects it from the chat template. `hermes` is JSON and \
                `qwen3_coder` is XML, both between `<tool_call>` and `</tool_call>`.
                """)
        case .trustUserContent:
            .init(
                .model, .switch, standard: .value("false"),
                """
                Parse special tokens in the messages of users and tools. By default they are encoded as plain text.
                """)
        case .threads:
            .init(
                .computation, .integer(1...1024), "n",
                standard: .described("one for each physical core, or for each of `--cpus`, within the cgroup quota"),
                """
                Compute threads. A value above the number of available CPUs is lowered to that number, with a warning.
                """)
        case .cpus:
            .init(
                .computation, .text, "list", standard: .described("the CPUs of the affinity mask"),
                """
                CPUs to compute on, such as `0-15,32-47`: one thread for each, if `--threads` is not given.
                """)
        case .numa:
            .init(
                .computation, .choice(EngineOptions.NUMA.allCases.map(\.rawValue)), "mode", standard: .value("auto"),
                """
                With `auto`, each NUMA node that has compute threads keeps a part of the rows of every weight matrix in its memory, \
                and its threads multiply by them. Needs threads that stay on their CPUs. With `off`, the system places memory.
                """)
        case .compute:
            .init(
                .computation, .choice(EngineOptions.Compute.allCases.map(\.rawValue)), "mode", standard: .value("fast"),
                """
                Arithmetic of matrix products. `fast` rounds activations to bfloat16 if the CPU multiplies bfloat16. `exact` \
                keeps at least 16 bits of precision in activations. With weights of 4 to 8 bit integers, `fast` rounds \
                activations to 16 bits and `exact` to 24; `int8` is `fast` with 8 bits there, for a faster prefill. `blas` uses OpenBLAS: slow, for comparison only, and not \
                deterministic. Routers are always exact.
                """)
        case .kernels:
            .init(
                .computation, .choice(KernelSet.allCases.map(\.rawValue)), "set",
                standard: .described("the best that the CPU has"), "Instruction set of the kernels.")
        case .kvCacheMemoryBytes:
            .init(
                .computation, .size, "size",
                standard: .described(
                    "enough for `--max-num-seqs` sequences of maximum length, but at most 80 % of free memory"),
                "Memory of the KV cache.", values: "at least one sequence of maximum length",
                aliases: ["kv-cache-memory"])
        case .kvCacheDtype:
            .init(
                .computation, .choice(KVDataType.allCases.map(\.rawValue)), "type",
                standard: .described("`bf16` with `--compute fast` and `int8`, otherwise `f32`"),
                "Data type of the KV cache. `fp8` has a scale for each token and head.")
        case .enablePrefixCaching:
            .init(
                .computation, .switch, standard: .value("true"),
                "Reuse the KV cache of prompts that begin with the same tokens.", aliases: ["prefix-cache"])
        case .sharePrefixCache:
            .init(
                .computation, .switch, standard: .value("false"),
                "Share cached prefixes between API keys. Without it each key has its own.")
        case .specMethod:
            .init(
                .computation, .choice(ServerConfiguration.Speculation.allCases.map(\.rawValue)), "method",
                standard: .value("off"),
                "Speculative decoding. `ngram` is prompt lookup. The output does not change.", aliases: ["speculative"])
        case .specTokens:
            .init(
                .computation, .integer(1...64), "n",
                standard: .described("\(ServerConfiguration.defaultSpeculativeTokens) with `ngram`"),
                "Maximum draft tokens of a sequence in one engine step. Needs `--spec-method ngram`.",
                aliases: ["speculative-tokens"])
        case .stageLayers:
            .init(
                .computation, .text, "list", standard: .described("chosen by the layers' sizes and the hosts' memory"),
                "Number of layers of each rank, if `mpirun` has started several.",
                values: "a number for each rank, separated by commas; the sum is the model's number of layers")
        case .rankTimeout:
            .init(
                .computation, .time(atMost: .seconds(86400)), "time", standard: .value("60s"),
                "If a rank is silent for this time, or a step has no reply, all ranks end with code 70.")
        case .maxNumSeqs:
            .init(
                .scheduling, .integer(1...4096), "n", standard: .value("64"),
                "Maximum sequences that run at the same time.", aliases: ["max-sequences"])
        case .maxNumBatchedTokens:
            .init(
                .scheduling, .integer(1...65536), "n", standard: .value("512"), "Maximum tokens of one engine step.",
                values: "`--max-num-seqs` to 65,536", aliases: ["max-batched-tokens"])
        case .performanceMode:
            .init(
                .scheduling, .choice(ServerConfiguration.PerformanceMode.allCases.map(\.rawValue)), "mode",
                standard: .value("balanced"),
                """
                What prefill is sized for while sequences decode. `interactivity`: smooth streams. `throughput`: tokens per \
                second of all requests, and early first tokens. `balanced`: smooth streams as long as few sequences wait for \
                their first token.
                """)
        case .maxInterTokenLatency:
            .init(
                .scheduling, .time(atMost: .seconds(3600), canBeAuto: true), "time", standard: .value("auto"),
                """
                Target time of an engine step while sequences decode. Prefill chunks are sized to fit. `auto` follows \
                `--performance-mode` and the model's own speed; a time, or `off`, is used instead of both.
                """)
        case .maxNumQueuedSeqs:
            .init(
                .scheduling, .integer(0...1_000_000), "n", standard: .value("256"),
                "Maximum queued sequences, not counting running ones. Above it: 503.", aliases: ["max-queued-requests"])
        case .maxNumQueuedTokens:
            .init(
                .scheduling, .integer(1...1 << 40, canBeOff: true), "n", standard: .value("262144"),
                "Maximum prompt tokens of sequences without a first token. Above it: 503.",
                aliases: ["max-queued-tokens"])
        case .maxQueueWait:
            .init(
                .scheduling, .time(atMost: .seconds(86400)), "time", standard: .value("2m"),
                "Maximum estimated time in the queue. Above it: 503.")
        case .watchdogTimeout:
            .init(
                .scheduling, .time(atMost: .seconds(86400)), "time", standard: .value("60s"),
                "If one engine step takes longer than this, `/health` and `/ready` return 503.")
        case .shutdownTimeout:
            .init(
                .scheduling, .integer(0...86400), "seconds", standard: .value("30"),
                "Time that running requests get to finish after SIGTERM.", values: "0 to 86,400 s",
                aliases: ["drain-timeout"])
        case .host:
            .init(
                .network, .text, "address", standard: .value("127.0.0.1"),
                """
                Address to listen on; for a name, all of its addresses. `unix:/run/trinity.sock` is a Unix socket; only the \
                server's user and group can connect to it.
                """,
                values: "a name or address, or `unix:` and a path of at most 107 bytes")
        case .port:
            .init(
                .network, .integer(0...65535), "n", standard: .value("8000"),
                "Port to listen on. 0 lets the system choose; the log has the number.")
        case .maxConnections:
            .init(
                .network, .integer(1...1_000_000), "n", standard: .value("1024"),
                "Maximum open connections. 16 more are reserved for `/health`, `/ready`, `/ping` and `/metrics`.")
        case .maxBodyMemory:
            .init(
                .network, .size, "size", standard: .value("512MiB"),
                """
                Maximum memory of all request bodies, their JSON, prepared prompts and text replies together. Above it: 503. \
                The first 64 KiB of each body, and small amounts of its JSON and prompts, are not counted.
                """,
                values: "minimum 32 MiB (the largest body); 43 MiB with API keys, because one key may use 3/4")
        case .webUi:
            .init(
                .network, .switch, standard: .value("true"), "Serve the web chat UI at `/`.", aliases: ["web-page"])
        case .strictParameters:
            .init(
                .network, .switch, standard: .value("false"),
                """
                Refuse all unknown and unsupported parameters. Without it, only those that would change the answer are refused; \
                the response header `x-ignored` lists the others.
                """)
        case .apiKey:
            .init(
                .security, .text, "key", standard: .described("none: no authentication"),
                """
                API key that clients must send. Prefer `TRINITY_API_KEY`: other users of the machine can see the command line.
                """,
                values: "printable ASCII without spaces, or `sha256:` and 64 hexadecimal digits", isSecret: true)
        case .apiKeyFile:
            .init(
                .security, .file, "file", standard: .described("none"),
                "File of API keys, one per line: name, key, optional limits. Read again when it changes.",
                values: "a regular file of at most 4 MiB")
        case .requestsPerMinute:
            .init(
                .security, .integer(1...1_000_000_000), "n", standard: .described("no limit"),
                "Requests per minute of each API key; without keys, of all clients together. Above it: 429.")
        case .tokensPerMinute:
            .init(
                .security, .integer(1...1_000_000_000_000), "n", standard: .described("no limit"),
                """
                Tokens per minute, prompt and completion, of each API key; without keys, of all clients together. Above it: 429.
                """)
        case .sslCertfile:
            .init(
                .security, .file, "file", standard: .described("plain HTTP"),
                "Serve HTTPS with this certificate chain (PEM, leaf first). Read again when it changes.",
                values: "a regular file of at most 1 MiB", aliases: ["tls-cert-file"])
        case .sslKeyfile:
            .init(
                .security, .file, "file", standard: .described("none"), "Private key of the certificate (PEM).",
                values: "a regular file of at most 1 MiB", aliases: ["tls-key-file"])
        case .sslCaCerts:
            .init(
                .security, .file, "file", standard: .described("not required"),
                "Require client certificates that these authorities signed (mTLS, PEM).",
                values: "a regular file of at most 1 MiB", aliases: ["tls-client-ca-file"])
        case .allowedHosts:
            .init(
                .security, .text, "names",
                standard: .described(
                    "with a loopback `--host`: `localhost`, `127.0.0.1` and `[::1]`; otherwise: any name"),
                """
                Names in the `Host` field that a server without API keys accepts, in addition to `localhost`, `127.0.0.1` and `[::1]`.
                """,
                values: "names without ports, separated by commas, or `*`")
        case .allowedOrigins:
            .init(
                .security, .text, "origins", standard: .described("none"),
                "Origins of web pages that may use the API from a browser (CORS).",
                values: "origins separated by commas, or `*`; also as a JSON array", aliases: ["cors-origins"])
        case .metricsAccess:
            .init(
                .security, .choice(ServerConfiguration.MetricsAccess.allCases.map(\.rawValue)), "who",
                standard: .value("open"),
                """
                Who may read `/metrics`. `key` requires an API key. Probes and `/version` never require one.
                """)
        case .logLevel:
            .init(
                .observability, .choice(Logger.Level.allCases.map(\.rawValue)), "level", standard: .value("info"),
                "Lowest level that is logged.")
        case .logFormat:
            .init(
                .observability, .choice(ServerConfiguration.LogFormat.allCases.map(\.rawValue)), "format",
                standard: .value("text"), "Format of log lines: text, or one JSON object per line.")
        case .metricsCompat:
            .init(
                .observability, .switch, standard: .value("false"),
                "Also export metric names that vLLM has removed, for old dashboards.")
        case .config:
            .init(
                .observability, .file, "file", standard: .described("none"),
                "File of options: one JSON object, `{\"port\": 9000}`.", values: "a JSON object of at most 1 MiB")
        }
    }
}
