// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "trinity", path: "..")],
    targets: [
        .executableTarget(
            name: "KernelBenchmark", dependencies: ["Ceilings", .product(name: "Kernels", package: "trinity")],
            path: "Kernels", swiftSettings: [.swiftLanguageMode(.v6)]),
        // What the machine can do at most; written in C, where the compiler does what it is told.
        .target(name: "Ceilings", path: "Ceilings", cSettings: [.unsafeFlags(["-O2"])]),
    ]
)
