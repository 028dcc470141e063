// swift-tools-version: 6.2
import PackageDescription

// All targets have the same settings: Swift 6 language mode (strict concurrency), warnings as errors, and nonisolated async
// functions stay on the caller's actor unless they are `@concurrent`.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

// Kernels run at full speed in debug builds too, otherwise the model tests would take an hour: each module is optimized as a
// whole, so that helpers in other files are inlined.
let kernelSettings =
    settings + [
        .unsafeFlags(["-Ounchecked", "-whole-module-optimization", "-num-threads", "2", "-disable-batch-mode"])
    ]

// The scheduler and its simulation are also optimized in debug builds, with checks: thousands of scenarios run in them.
let simulatedSettings = settings + [.unsafeFlags(["-O"])]

// Kernels for different CPUs; the set is selected at start.
#if arch(x86_64)
    let vectorKernels: [Target] = [
        .target(
            name: "AVX2Kernels",
            dependencies: ["CIntrinsics", "KernelInterface"],
            path: "Sources/Kernels/AVX2",
            swiftSettings: kernelSettings + [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]),
        .target(
            name: "AVX512Kernels",
            dependencies: ["CIntrinsics", "KernelInterface"],
            path: "Sources/Kernels/AVX512",
            swiftSettings: kernelSettings + [
                .unsafeFlags(
                    ["-march=x86-64-v4", "-mavx512bf16", "-mavx512vbmi", "-mavx512vnni"].flatMap { ["-Xcc", $0] })
            ]),
    ]
#elseif arch(arm64)
    let vectorKernels: [Target] = [
        .target(
            name: "NEONKernels",
            dependencies: ["CIntrinsics", "KernelInterface"],
            path: "Sources/Kernels/NEON",
            exclude: ["Shared/Training"],
            swiftSettings: kernelSettings + [.unsafeFlags(["-Xcc", "-march=armv8.2-a+dotprod"])]),
        .target(
            name: "NEONBF16Kernels",
            dependencies: ["CIntrinsics", "KernelInterface"],
            path: "Sources/Kernels/NEONBF16",
            exclude: ["Shared/Training"],
            swiftSettings: kernelSettings + [.unsafeFlags(["-Xcc", "-march=armv8.2-a+dotprod+bf16+i8mm"])]),
    ]
#else
    let vectorKernels: [Target] = []
#endif

// The web chat UI: a page and its parts, compiled in.
let webUI = [
    "index.html", "style.css", "dom.js", "markdown-blocks.js", "markdown-inlines.js", "markdown-view.js",
    "conversations.js", "settings.js", "completion.js", "messages.js", "chat.js", "sidebar.js", "status.js",
]

let package = Package(
    name: "trinity",
    products: [
        .executable(name: "trinity", targets: ["trinity"]),
        // For the benchmarks, which are a separate package.
        .library(name: "Kernels", targets: ["KernelInterface", "PortableKernels"] + vectorKernels.map(\.name)),
        .library(name: "Engine", targets: ["Engine", "Scheduling"]),
        // Libraries that do not depend on models or the server: docs/libraries.
        .library(name: "JSON", targets: ["Basics", "JSON"]),
        .library(name: "Tokenizers", targets: ["Basics", "Tokenizers"]),
        .library(name: "ChatTemplates", targets: ["Basics", "JSON", "ChatTemplates"]),
        .library(name: "Grammars", targets: ["Basics", "JSON", "Grammars"]),
        // For libFuzzer, also a separate package.
        .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    ],
    traits: [.trait(name: "MPI", description: "Serve one model over several hosts with Open MPI: docs/scaling.md")],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        // Reads openapi.yaml.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "trinity",
            dependencies: [
                "Server", "ModelTools", "Training", "Engine", "Hub", "Basics",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        // The server: HTTP <-> Engine.
        .target(
            name: "Server",
            dependencies: [
                "HTTP", "Engine", "Scheduling", "Tokenizers", "ChatTemplates", "Grammars", "JSON", "Hub", "Basics",
                "CMalloc", "COpenSSL",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: webUI.map { .embedInCode("WebUI/\($0)") } + [.embedInCode("openapi.yaml")],
            swiftSettings: settings),

        // Models of the Hugging Face Hub, and the cache of them.
        .target(name: "Hub", dependencies: ["Web", "JSON", "Basics", "COpenSSL"], swiftSettings: settings),

        // A client for HTTP.
        .target(name: "Web", dependencies: ["HTTP", "Basics"], swiftSettings: settings),

        // Bytes and sockets; independent of JSON and models.
        .target(
            name: "HTTP",
            dependencies: [
                "CEpoll", "COpenSSL", "CZlib",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: settings),

        // Tools: trinity bench, plan, synth, quantize, evaluate and needle.
        .target(
            name: "ModelTools",
            dependencies: [
                "Engine", "Checkpoints", "Scheduling", "Tokenizers", "Web", "JSON", "Basics",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),

        // trinity train. Optimized in debug builds too, with checks: its loops run over every weight and activation.
        .target(
            name: "Training",
            dependencies: [
                "Engine", "KernelInterface", "Checkpoints", "Tokenizers", "ChatTemplates", "JSON", "Basics",
            ],
            swiftSettings: simulatedSettings),

        // Tokens in, tokens out.
        .target(
            name: "Engine",
            dependencies: [
                "CIntrinsics", "CNUMA", "KernelInterface", "PortableKernels", "Checkpoints", "Scheduling", "Tokenizers",
                "Grammars",
                "Basics",
                .byName(name: "CMPI", condition: .when(traits: ["MPI"])),
                .product(name: "Logging", package: "swift-log"),
            ] + vectorKernels.map { .target(name: $0.name) },
            swiftSettings: settings),
        .target(
            name: "Scheduling",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections")
            ],
            swiftSettings: simulatedSettings),

        // Model files.
        .target(
            name: "Checkpoints", dependencies: ["KernelInterface", "PortableKernels", "JSON", "Basics"],
            swiftSettings: settings),

        // Text: three independent libraries on top of JSON.
        .target(name: "Tokenizers", dependencies: ["Basics", "JSON"], swiftSettings: settings),
        .target(
            name: "ChatTemplates",
            dependencies: ["Basics", "JSON", .product(name: "OrderedCollections", package: "swift-collections")],
            swiftSettings: settings),
        .target(name: "Grammars", dependencies: ["Basics", "JSON"], swiftSettings: settings),
        .target(name: "JSON", dependencies: ["Basics"], swiftSettings: settings),
        .target(name: "Basics", swiftSettings: settings),

        .target(
            name: "KernelInterface",
            path: "Sources/Kernels/Interface",
            swiftSettings: kernelSettings),
        .target(
            name: "PortableKernels",
            dependencies: ["KernelInterface"],
            path: "Sources/Kernels/Portable",
            swiftSettings: kernelSettings),
        .target(
            name: "CIntrinsics",
            path: "Sources/Kernels/CIntrinsics"),

        // System libraries.
        .systemLibrary(
            name: "COpenBLAS", path: "Sources/COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CEpoll", path: "Sources/CEpoll"),
        .systemLibrary(name: "CMalloc", path: "Sources/CMalloc"),
        .systemLibrary(name: "CNUMA", path: "Sources/CNUMA"),
        .systemLibrary(name: "CMPI", path: "Sources/CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(
            name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CCurl", path: "Tests/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        .target(
            name: "TestSupport", dependencies: ["Basics", "JSON", "Tokenizers", "Checkpoints"],
            path: "Tests/TestSupport", swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Engine", "Scheduling", "HTTP", "Server", "Checkpoints", "Tokenizers", "ChatTemplates", "JSON",
                "Basics",
                "TestSupport",
            ],
            path: "Tests/Fuzzing",
            exclude: ["Corpus", "Dictionaries"], swiftSettings: settings),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ModelToolsTests",
            dependencies: ["ModelTools", "Engine", "Checkpoints", "KernelInterface", "JSON", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Training", "ModelTools", "Engine", "KernelInterface", "Scheduling", "Checkpoints", "JSON",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CheckpointsTests",
            dependencies: ["Checkpoints", "KernelInterface", "PortableKernels", "JSON", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "LibraryTests",
            dependencies: ["JSON", "Tokenizers", "ChatTemplates", "Grammars", "Basics", "TestSupport"],
            swiftSettings: settings),
        .testTarget(name: "BasicsTests", dependencies: ["Basics"], swiftSettings: settings),
        .testTarget(name: "JSONTests", dependencies: ["Basics", "JSON", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Tokenizers", "ChatTemplates", "JSON", "Basics", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "ChatTemplatesTests", dependencies: ["ChatTemplates", "Tokenizers", "JSON", "Basics", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "GrammarsTests", dependencies: ["Grammars", "JSON", "Basics", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "HTTPTests", dependencies: ["HTTP", "COpenSSL", "CZlib", "TestSupport"],
            exclude: ["Corpus"], swiftSettings: settings),
        .testTarget(
            name: "KernelTests",
            dependencies: ["Engine", "KernelInterface", "Checkpoints", "COpenBLAS", "TestSupport"]
                + vectorKernels.map { .target(name: $0.name) },
            swiftSettings: settings),
        .testTarget(name: "HubTests", dependencies: ["Hub"], swiftSettings: settings),
        .testTarget(name: "WebTests", dependencies: ["Web"], swiftSettings: settings),
        .testTarget(name: "SchedulingTests", dependencies: ["Scheduling", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Scheduling", "Engine", "HTTP", "Server", "JSON", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: simulatedSettings),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "Basics", "ModelTools", "Checkpoints", "Scheduling", "JSON", "Tokenizers", "Grammars",
                "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "trinity", "HTTP", "Engine", "Scheduling", "ChatTemplates", "Grammars", "JSON", "Basics",
                "CCurl", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(name: "TidyTests", dependencies: ["Server", "TestSupport"], swiftSettings: settings),
    ] + vectorKernels
)
