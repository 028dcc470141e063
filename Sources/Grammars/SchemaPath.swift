/// A path in a JSON Schema, such as `properties.name.pattern`. It is converted to text only for an error: otherwise long names
/// would be copied for each schema below them.
struct SchemaPath: Sendable {
    /// Maximum number of characters of one name, and of the whole path, in an error.
    private static let (mostOfName, mostOfAll) = (64, 1_024)

    private final class Link: Sendable {
        let name: String
        let parent: Link?

        init(_ name: String, _ parent: Link?) {
            (self.name, self.parent) = (name, parent)
        }
    }

    private var last: Link?

    static let root = SchemaPath()

    func appending(_ names: String...) -> SchemaPath {
        SchemaPath(last: names.reduce(last) { Link($1, $0) })
    }

    /// The path with an index after its last name.
    func appending(_ name: String, at index: Int) -> SchemaPath { appending("\(name)[\(index)]") }

    /// An error at this place.
    func error(_ reason: String) -> GrammarError { GrammarError(path: text, reason: reason) }

    private var text: String {
        var names: [Substring] = []
        var link = last
        var count = 0
        // The end of the path is the most specific part.
        while let place = link, count < Self.mostOfAll {
            let name = place.name.prefix(Self.mostOfName)
            names.append(name.endIndex == place.name.endIndex ? name : name + "...")
            count += Self.mostOfName
            link = place.parent
        }
        return names.reversed().joined(separator: ".")
    }
}
