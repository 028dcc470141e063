import ArgumentParser
import Basics
import Hub

/// `trinity remove`: removes a model from the cache.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a model from the Hugging Face cache.",
        discussion: """
            Removes all revisions of owner/name, only the given revision for owner/name@revision, or only the GGUF file for \
            owner/name:Q4_K_M. Files that another revision needs are kept.
            """)

    @Argument(
        help: ArgumentHelp("Name on the Hub, such as owner/name or owner/name:Q4_K_M.", valueName: "model"),
        transform: HubReference.argument)
    var model: HubReference

    func run() throws {
        print("removed \(model), \(ByteCount(try Hub.fromEnvironment().remove(model)))")
    }
}
