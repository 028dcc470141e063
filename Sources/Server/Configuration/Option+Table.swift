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
                Model to load: a folder in Hugging Face format, a folder with a GGUF file, a GGUF file, or a name on the Hugging \
                Face Hub (`owner/name`, `owner/name@revision`, `owner/name:Q4_K_M`). A model on the Hub is downloaded if it is \
                not in the cache.
                """,
                values: "a folder, a file, or a name on the Hub")
        case .tokenizer:
            .init(
                .model, .folder, "dir", standard: .described("the model's tokenizer"),
                "Folder with `tokenizer.json` and the chat template.", values: "a folder")
        case .servedModelName:
            .init(
                .model, .names, "names",
                standard: .described("the folder name; for a model in the Hugging Face cache, the repository name"),
                """
                Names of the model in the API, separated by commas. The option can be repeated. A reply has the name from its \
                request, or the first name if the request has none.
                """)
        case .maxModelLen:
            .init(
                .model, .integer(1...1 << 30), "n",
                standard: .described("the model's maximum, reduced to what fits in the KV cache"),
                "Maximum number of tokens in a sequence, prompt and completion together.", values: "1 to 2^30 tokens")
        case .quantization:
            .init(
                .model, .choice(EngineOptions.Quantization.allCases.map(\.rawValue)), "format",
                standard: .value("auto"),
                """
                Format of the weights in memory. `auto` keeps the format of the checkpoint. With another format, linear layers \
                and the LM head are quantized while loading; `int4` and `nvfp4` have 4 bits, with the head in `int8`. Matrices \
                that are already quantized to a format other than FP8 are left unchanged by `fp8` and `int8`, and refused by \
                `int4` and `nvfp4`.
                """,
                aliases: ["weights"])
        case .reasoningParser:
            .init(
                .model, .choice(ServerConfiguration.ReasoningParser.allCases.map(\.rawValue)), "name",
                standard: .value("auto"),
                """
                Format of reasoning in the output. `auto` detects it from the chat template. With `think`, reasoning is between \
                `<think>` and `</think>`. `deepseek_r1` is the same, but the reply starts without `<think>`.
                """)
        case .toolCallParser:
            .init(
                .model, .choice(ServerConfiguration.ToolCallParser.allCases.map(\.rawValue)), "name",
                standard: .value("auto"),
                """
                Format of tool calls in the output. `auto` detects it from the chat template. Calls are between `<tool_call>` \
                and `</tool_call>`, in JSON with `hermes` and in XML with `qwen3_coder`.
                """)
        case .trustUserContent:
            .init(
                .model, .switch, standard: .value("false"),
                """
                Parse special tokens in messages of users and tools. By default, they are encoded as plain text.
                """)
        case .threads:
            .init(
                .computation, .integer(1...1024), "n",
                standard: .described("one per physical core, or per CPU of `--cpus`, within the cgroup quota"),
                """
                Number of compute threads. If it exceeds the number of available CPUs, it is reduced to that number, with a \
                warning.
                """)
        case .cpus:
            .init(
                .computation, .text, "list", standard: .described("the CPUs in the affinity mask of the process"),
                """
                CPUs to compute on, such as `0-15,32-47`. There is one thread per CPU, unless `--threads` is given.
                """)
        case .numa:
            .init(
                .computation, .choice(EngineOptions.NUMA.allCases.map(\.rawValue)), "mode", standard: .value("auto"),
                """
                Placement of weights on NUMA nodes. With `auto`, each node that has compute threads stores a part of the rows of \
                every weight matrix in its own memory, and its threads compute with that part; the threads must be pinned to \
                CPUs. With `off`, the operating system places the memory.
                """)
        case .compute:
            .init(
                .computation, .choice(EngineOptions.Compute.allCases.map(\.rawValue)), "mode", standard: .value("fast"),
                """
                Arithmetic of matrix products. `fast` rounds activations to bfloat16 if the CPU can multiply bfloat16. `exact` \
                keeps at least 16 bits of precision in activations. With integer weights of 4 to 8 bits, `fast` rounds \
                activations to 16 bits, `exact` to 24 bits, and `int8` to 8 bits, for faster prefill; with other weights, `int8` \
                is the same as `fast`. `blas` uses OpenBLAS, which is slow and not deterministic; it is for comparison only. \
                Routers are always exact.
                """)
        case .kernels:
            .init(
                .computation, .choice(KernelSet.allCases.map(\.rawValue)), "set",
                standard: .described("the best that the CPU supports"), "Instruction set of the kernels.")
        case .kvCacheMemoryBytes:
            .init(
                .computation, .size, "size",
                standard: .described(
                    "enough for `--max-num-seqs` sequences of maximum length, but at most 80 % of the free memory"),
                "Size of the KV cache.", values: "at least one sequence of maximum length",
                aliases: ["kv-cache-memory"])
        case .kvCacheDtype:
            .init(
                .computation, .choice(KVDataType.allCases.map(\.rawValue)), "type",
                standard: .described("`bf16` with `--compute fast` or `int8`, otherwise `f32`"),
                "Data type of the KV cache. `fp8` has a scale for each token and head.")
        case .enablePrefixCaching:
            .init(
                .computation, .switch, standard: .value("true"),
                "Reuse the KV cache for prompts that begin with the same tokens.", aliases: ["prefix-cache"])
        case .sharePrefixCache:
            .init(
                .computation, .switch, standard: .value("false"),
                "Share cached prefixes between API keys. By default, each key has its own.")
        case .specMethod:
            .init(
                .computation, .choice(ServerConfiguration.Speculation.allCases.map(\.rawValue)), "method",
                standard: .value("off"),
                "Method of speculative decoding. `ngram` is prompt lookup. It does not change the output.",
                aliases: ["speculative"])
        case .specTokens:
            .init(
                .computation, .integer(1...64), "n",
                standard: .described("\(ServerConfiguration.defaultSpeculativeTokens) with `ngram`"),
                """
                Maximum number of draft tokens per sequence in an engine step. Requires `--spec-method ngram`.
                """,
                aliases: ["speculative-tokens"])
        case .stageLayers:
            .init(
                .computation, .text, "list",
                standard: .described("computed from the sizes of the layers and the memory of the hosts"),
                "Number of layers of each rank, if `mpirun` has started several ranks.",
                values: "one number per rank, separated by commas; the sum is the model's number of layers")
        case .rankTimeout:
            .init(
                .computation, .time(atMost: .seconds(86400)), "time", standard: .value("60s"),
                """
                If a rank is silent for this time, or a step has no reply within it, all ranks exit with code 70.
                """)
        case .maxNumSeqs:
            .init(
                .scheduling, .integer(1...4096), "n", standard: .value("64"),
                "Maximum number of sequences that run at the same time.", aliases: ["max-sequences"])
        case .maxNumBatchedTokens:
            .init(
                .scheduling, .integer(1...65536), "n", standard: .value("512"),
                "Maximum number of tokens in an engine step.",
                values: "`--max-num-seqs` to 65,536", aliases: ["max-batched-tokens"])
        case .performanceMode:
            .init(
                .scheduling, .choice(ServerConfiguration.PerformanceMode.allCases.map(\.rawValue)), "mode",
                standard: .value("balanced"),
                """
                Trade-off between prefill and the streams of decoding sequences. `interactivity` keeps streams smooth. \
                `throughput` favors the total tokens per second and early first tokens. `balanced` keeps streams smooth as long \
                as few sequences wait for their first token.
                """)
        case .maxInterTokenLatency:
            .init(
                .scheduling, .time(atMost: .seconds(3600), canBeAuto: true), "time", standard: .value("auto"),
                """
                Target time of an engine step while sequences decode. Prefill chunks are sized to meet it. `auto` derives it \
                from `--performance-mode` and the speed of the model; a time or `off` replaces both.
                """)
        case .maxNumQueuedSeqs:
            .init(
                .scheduling, .integer(0...1_000_000), "n", standard: .value("256"),
                """
                Maximum number of queued sequences, not counting running ones. Requests above this limit get 503.
                """, aliases: ["max-queued-requests"])
        case .maxNumQueuedTokens:
            .init(
                .scheduling, .integer(1...1 << 40, canBeOff: true), "n", standard: .value("262144"),
                """
                Maximum number of prompt tokens in sequences without a first token. Requests above this limit get 503.
                """,
                aliases: ["max-queued-tokens"])
        case .maxQueueWait:
            .init(
                .scheduling, .time(atMost: .seconds(86400)), "time", standard: .value("2m"),
                "Maximum estimated time in the queue. Requests above this limit get 503.")
        case .watchdogTimeout:
            .init(
                .scheduling, .time(atMost: .seconds(86400)), "time", standard: .value("60s"),
                "If an engine step takes longer than this, `/health` and `/ready` return 503.")
        case .shutdownTimeout:
            .init(
                .scheduling, .integer(0...86400), "seconds", standard: .value("30"),
                "Time for running requests to finish after SIGTERM.", values: "0 to 86,400 s",
                aliases: ["drain-timeout"])
        case .host:
            .init(
                .network, .text, "address", standard: .value("127.0.0.1"),
                """
                Address to listen on. If it is a name, the server listens on all of its addresses. `unix:/run/trinity.sock` is a \
                Unix socket, to which only the server's user and group can connect.
                """,
                values: "a name or address, or `unix:` and a path of at most 107 bytes")
        case .port:
            .init(
                .network, .integer(0...65535), "n", standard: .value("8000"),
                "Port to listen on. With 0, the system chooses a port, which is written to the log.")
        case .maxConnections:
            .init(
                .network, .integer(1...1_000_000), "n", standard: .value("1024"),
                """
                Maximum number of open connections. 16 more are reserved for `/health`, `/ready`, `/ping` and `/metrics`.
                """)
        case .maxBodyMemory:
            .init(
                .network, .size, "size", standard: .value("512MiB"),
                """
                Maximum memory of all request bodies, their parsed JSON, prepared prompts and text replies together. Requests \
                above this limit get 503. The first 64 KiB of each body, and small amounts of JSON and prompts, are not counted.
                """,
                values: "at least 32 MiB (the largest body), or 43 MiB with API keys, because one key may use 3/4")
        case .webUi:
            .init(
                .network, .switch, standard: .value("true"), "Serve the web chat UI at `/`.", aliases: ["web-page"])
        case .strictParameters:
            .init(
                .network, .switch, standard: .value("false"),
                """
                Refuse all unknown and unsupported parameters. By default, only parameters that would change the answer are \
                refused, and the response header `x-ignored` lists the others.
                """)
        case .apiKey:
            .init(
                .security, .text, "key", standard: .described("none: no authentication"),
                """
                API key that clients must send. Prefer `TRINITY_API_KEY`, because other users of the machine can see the command \
                line.
                """,
                values: "printable ASCII without spaces, or `sha256:` and 64 hexadecimal digits", isSecret: true)
        case .apiKeyFile:
            .init(
                .security, .file, "file", standard: .described("none"),
                """
                File with API keys, one per line: a name, the key and optional limits. It is read again when it changes.
                """,
                values: "a regular file of at most 4 MiB")
        case .requestsPerMinute:
            .init(
                .security, .integer(1...1_000_000_000), "n", standard: .described("no limit"),
                """
                Maximum requests per minute of each API key, or of all clients together if there are no keys. Requests above \
                this limit get 429.
                """)
        case .tokensPerMinute:
            .init(
                .security, .integer(1...1_000_000_000_000), "n", standard: .described("no limit"),
                """
                Maximum tokens per minute, prompt and completion, of each API key, or of all clients together if there are no \
                keys. Requests above this limit get 429.
                """)
        case .sslCertfile:
            .init(
                .security, .file, "file", standard: .described("plain HTTP"),
                """
                Serve HTTPS with this certificate chain (PEM, leaf first). The file is read again when it changes.
                """,
                values: "a regular file of at most 1 MiB", aliases: ["tls-cert-file"])
        case .sslKeyfile:
            .init(
                .security, .file, "file", standard: .described("none"), "Private key of the certificate (PEM).",
                values: "a regular file of at most 1 MiB", aliases: ["tls-key-file"])
        case .sslCaCerts:
            .init(
                .security, .file, "file", standard: .described("not required"),
                "Require client certificates that are signed by one of these authorities (mTLS, PEM).",
                values: "a regular file of at most 1 MiB", aliases: ["tls-client-ca-file"])
        case .allowedHosts:
            .init(
                .security, .text, "names",
                standard: .described(
                    "with a loopback `--host`, only `localhost`, `127.0.0.1` and `[::1]`; otherwise any name"),
                """
                Host names that a server without API keys accepts in the `Host` field, in addition to `localhost`, `127.0.0.1` \
                and `[::1]`.
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
                "Minimum level of logged messages.")
        case .logFormat:
            .init(
                .observability, .choice(ServerConfiguration.LogFormat.allCases.map(\.rawValue)), "format",
                standard: .value("text"), "Format of log lines: text, or one JSON object per line.")
        case .metricsCompat:
            .init(
                .observability, .switch, standard: .value("false"),
                "Also export metrics under names that vLLM has removed, for old dashboards.")
        case .config:
            .init(
                .observability, .file, "file", standard: .described("none"),
                "File of options as one JSON object, such as `{\"port\": 9000}`.",
                values: "a JSON object of at most 1 MiB")
        }
    }
}
