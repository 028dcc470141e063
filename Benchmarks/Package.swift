// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

// A separate package: the server builds without it, and its dependencies never become dependencies of the server.
let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "trinity", path: "..")],
    targets: [
        .executableTarget(
            name: "KernelBenchmark", dependencies: ["Ceilings", .product(name: "Kernels", package: "trinity")],
            swiftSettings: settings),
        .executableTarget(
            name: "SamplingBenchmark", dependencies: [.product(name: "Engine", package: "trinity")],
            swiftSettings: settings),
        .executableTarget(
            name: "GrammarBenchmark",
            dependencies: [.product(name: "JSON", package: "trinity"), .product(name: "Grammars", package: "trinity")],
            swiftSettings: settings),
        .executableTarget(
            name: "JSONBenchmark", dependencies: [.product(name: "JSON", package: "trinity")], swiftSettings: settings),
        // Measures the limits of the machine; written in C for control over the generated instructions.
        .target(name: "Ceilings", cSettings: [.unsafeFlags(["-O2"])]),
        .executableTarget(
            name: "TokenizerProbe",
            dependencies: [.product(name: "JSON", package: "trinity"), .product(name: "Tokenizers", package: "trinity")],
            swiftSettings: settings),
    ]
)
