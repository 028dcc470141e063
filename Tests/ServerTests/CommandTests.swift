import Testing

@testable import trinity

/// The arguments of the commands.
@Suite struct CommandTests {
    private func failure(_ arguments: [String]) -> String? {
        do {
            _ = try Trinity.parseAsRoot(arguments)
            return nil
        } catch {
            return Trinity.message(for: error)
        }
    }

    @Test(arguments: ["", " ", "\t\n", "\u{A0}"])
    func `a path of white space is refused as output by every command`(path: String) throws {
        let commands: [(arguments: [String], name: String)] = [
            (["synth", "--shape", "tiny", "--out", path], "--out"),
            (["quantize", "source", path], "the destination"),
            (["train", "recipe.json", "--out", path], "--out"),
            (["train", "recipe.json", "--dry-run", "--out", path], "--out"),
            (["needle", "http://a", "--json", path], "--json"),
            (["needle", "http://a", "--svg", path], "--svg"),
        ]
        for command in commands {
            let message = try #require(failure(command.arguments), "\(command.arguments)")
            #expect(message == "\(command.name) must be a path; got '\(path)'")
        }
        #expect(failure(["train", "recipe.json", "--out", "a b"]) == nil)
    }

    @Test func `a negative seed is a value, not an option`() throws {
        for command in ["chat", "complete"] {
            #expect(failure([command, "--seed", "-1", "--seed=-9223372036854775808"]) == nil)
        }
        #expect(try (Trinity.parseAsRoot(["chat", "--seed", "-1"]) as? Chat)?.options.seed == -1)
        for arguments in [["synth", "--shape", "tiny", "--out", "a"], ["needle", "http://a"]] {
            let message = try #require(failure(arguments + ["--seed", "-1"]))
            #expect(message.contains("'-1' is invalid for '--seed <n>'"), "\(message)")
        }
    }
}
