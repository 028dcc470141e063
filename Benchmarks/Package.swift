// swift-tools-version: 6.2
import PackageDescription

// A package of its own: the server builds without it, and what it needs never becomes a dependency of the server.
let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "trinity", path: "..")],
    targets: [
        .executableTarget(
            name: "TokenizerProbe", dependencies: [.product(name: "Text", package: "trinity")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
    ]
)
