/// A place in a JSON Schema, such as `properties.name.pattern`. It becomes text only for an error: long names would
/// otherwise be copied for each schema below them.
struct SchemaPath: Sendable {
    /// Characters of one name, and of all names, that an error has at most.
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

    /// The same with an index behind its last name.
    func appending(_ name: String, at index: Int) -> SchemaPath { appending("\(name)[\(index)]") }

    /// An error at this place.
    func error(_ reason: String) -> GrammarError { GrammarError(path: text, reason: reason) }

    private var text: String {
        var names: [Substring] = []
        var link = last
        var count = 0
        // What is at fault is at the end.
        while let place = link, count < Self.mostOfAll {
            let name = place.name.prefix(Self.mostOfName)
            names.append(name.endIndex == place.name.endIndex ? name : name + "...")
            count += Self.mostOfName
            link = place.parent
        }
        return names.reversed().joined(separator: ".")
    }
}
