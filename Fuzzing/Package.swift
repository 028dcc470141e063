// swift-tools-version: 6.2
import PackageDescription

// A separate package: all of it is built with `--sanitize fuzzer`, and libFuzzer provides `main`.
let package = Package(
    name: "fuzzing",
    dependencies: [.package(name: "trinity", path: "..")],
    targets: [
        .executableTarget(
            name: "Fuzzer", dependencies: [.product(name: "FuzzTargets", package: "trinity")],
            swiftSettings: [
                .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
