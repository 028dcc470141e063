import Testing

/// Constructs that hide a race, a crash or a message, and the few places that may use them.
@Suite struct ConstructTests {
    struct Construct: CustomTestStringConvertible {
        var name: String
        var reason: String
        var isIn: @Sendable (String) -> Bool
        /// Folders where the rule does not hold.
        var exceptions: [String] = []
        var testDescription: String { name }
    }

    static let constructs = [
        Construct(name: "@unchecked Sendable", reason: "the compiler must see that sharing is safe") {
            $0.contains("@unchecked")
        },
        Construct(name: "nonisolated(unsafe)", reason: "the compiler must see that sharing is safe") {
            $0.contains("nonisolated(unsafe)")
        },
        Construct(name: "@preconcurrency", reason: "the compiler must see that sharing is safe") {
            $0.contains("@preconcurrency")
        },
        Construct(name: "try!", reason: "no input ends the process") { $0.contains("try!") },
        Construct(name: "force unwrap", reason: "no input ends the process") {
            !$0.contains("try!") && Code.forcesUnwrap($0)
        },
        Construct(name: "fatalError", reason: "a bug is a precondition with its invariant, the rest is thrown") {
            Code.calls("fatalError", in: $0)
        },
        Construct(
            name: "print", reason: "what the server has to say goes through its log",
            isIn: { Code.calls("print", in: $0) || Code.calls("debugPrint", in: $0) }, exceptions: ["Sources/trinity"]),
        Construct(name: "concurrentPerform", reason: "the worker pool alone runs threads over kernels") {
            $0.contains("concurrentPerform")
        },
    ]

    /// One file may use one construct, for a reason that reads well here.
    struct Allowance {
        var path: String
        var construct: String
        var reason: String
    }

    static let allowances: [Allowance] = []

    @Test(arguments: constructs)
    func `no file uses a construct it is not allowed to`(construct: Construct) {
        for file in SourceFile.sources where !construct.exceptions.contains(where: file.isIn) {
            guard !Self.isAllowed(construct.name, in: file.path) else { continue }
            for (index, line) in file.code.enumerated() where construct.isIn(line) {
                file.report("\(construct.name): \(construct.reason)", at: index)
            }
        }
    }

    @Test func `every allowance is used`() {
        for allowance in Self.allowances {
            let file = SourceFile.sources.first { $0.path == allowance.path }
            let construct = Self.constructs.first { $0.name == allowance.construct }
            let isUsed = file?.code.contains { construct?.isIn($0) == true } == true
            #expect(isUsed, "\(allowance.path) no longer needs \(allowance.construct)")
        }
    }

    private static func isAllowed(_ construct: String, in path: String) -> Bool {
        allowances.contains { $0.construct == construct && $0.path == path }
    }
}
