import Testing

/// Constructs that can hide a race, a crash or a message, and the few places that may use them.
@Suite struct ConstructTests {
    struct Construct: CustomTestStringConvertible {
        var name: String
        var reason: String
        /// A line in which the rule must find the construct.
        var example: String
        var isIn: @Sendable (String) -> Bool
        /// Folders to which the rule does not apply.
        var exceptions: [String] = []
        var testDescription: String { name }
    }

    static let constructs = [
        Construct(
            name: "@unchecked Sendable", reason: "the compiler must see that sharing is safe",
            example: "final class A: @unchecked Sendable {}"
        ) {
            $0.contains("@unchecked")
        },
        Construct(
            name: "nonisolated(unsafe)", reason: "the compiler must see that sharing is safe",
            example: "nonisolated(unsafe) var a = 1"
        ) {
            $0.contains("nonisolated(unsafe)")
        },
        Construct(
            name: "@preconcurrency", reason: "the compiler must see that sharing is safe",
            example: "@preconcurrency import A"
        ) {
            $0.contains("@preconcurrency")
        },
        Construct(name: "try!", reason: "no input ends the process", example: "let a = try! b()") {
            $0.contains("try!")
        },
        Construct(name: "force unwrap", reason: "no input ends the process", example: "let a = b!") {
            !$0.contains("try!") && Code.forcesUnwrap($0)
        },
        Construct(
            name: "fatalError", reason: "a bug is a precondition with its invariant, the rest is thrown",
            example: "fatalError()"
        ) {
            Code.calls("fatalError", in: $0)
        },
        Construct(
            name: "print", reason: "what the server has to say goes through its log", example: "print(a)",
            isIn: { Code.calls("print", in: $0) || Code.calls("debugPrint", in: $0) }, exceptions: ["Sources/trinity"]),
        Construct(
            name: "concurrentPerform", reason: "the worker pool alone runs threads over kernels",
            example: "DispatchQueue.concurrentPerform(iterations: 2) { _ in }"
        ) {
            $0.contains("concurrentPerform")
        },
    ]

    /// Allows one file to use one construct, with a reason.
    struct Allowance {
        var path: String
        var construct: String
        var reason: String
    }

    static let allowances: [Allowance] = []

    @Test(arguments: constructs)
    func `no file uses a construct that is not allowed`(construct: Construct) {
        for file in SourceFile.sources where !construct.exceptions.contains(where: file.isIn) {
            guard !Self.isAllowed(construct.name, in: file.path) else { continue }
            for (index, line) in file.code.enumerated() where construct.isIn(line) {
                file.report("\(construct.name): \(construct.reason)", at: index)
            }
        }
    }

    @Test(arguments: constructs)
    func `a rule finds its construct, and none in ordinary code`(construct: Construct) {
        #expect(construct.isIn(construct.example))
        #expect(!construct.isIn("if let a = try? b(), a != c { printer.write(a, !d) }"))
    }

    @Test func `every exception is used`() {
        let file = SourceFile(path: "Sources/a.swift", text: "let a = b!")
        #expect(Self.isUsed(Allowance(path: file.path, construct: "force unwrap", reason: ""), in: [file]))
        #expect(!Self.isUsed(Allowance(path: file.path, construct: "print", reason: ""), in: [file]))
        #expect(!Self.isUsed(Allowance(path: "Sources/b.swift", construct: "force unwrap", reason: ""), in: [file]))
        for allowance in Self.allowances {
            let isUsed = Self.isUsed(allowance, in: SourceFile.sources)
            #expect(isUsed, "\(allowance.path) no longer needs \(allowance.construct)")
        }
    }

    private static func isUsed(_ allowance: Allowance, in files: [SourceFile]) -> Bool {
        let file = files.first { $0.path == allowance.path }
        let construct = constructs.first { $0.name == allowance.construct }
        return file?.code.contains { construct?.isIn($0) == true } == true
    }

    private static func isAllowed(_ construct: String, in path: String) -> Bool {
        allowances.contains { $0.construct == construct && $0.path == path }
    }
}
