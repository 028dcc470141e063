import ArgumentParser
import Hub

/// `trinity remove`: removes a model from the cache.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a model from the Hugging Face cache.",
        discussion: """
            Removes all revisions of owner/name, one of owner/name@revision, or of owner/name:Q4_K_M only the GGUF file. \
            Files that another revision needs stay.
            """)

    @Argument(help: ArgumentHelp("Name on the Hub, as for trinity pull.", valueName: "model"))
    var model: HubReference

    func run() throws {
        print("removed \(model), \(ByteCount(try Hub.fromEnvironment().remove(model)))")
    }
}
