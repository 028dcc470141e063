/// The documents that the packing of a stream still needs, by their numbers in the stream.
///
/// A source with fewer documents than the buffer gives a document under several numbers. It is tokenized and stored once.
struct HeldDocuments {
    typealias Key = DocumentWorkers.Key

    private var keys: [Int: Key] = [:]
    private var documents: [Key: (document: Document, uses: Int)] = [:]

    /// The document with a number in the stream.
    subscript(number: Int) -> Document? { keys[number].flatMap { documents[$0]?.document } }

    /// A document of a source, if it is held under any number.
    subscript(key: Key) -> Document? { documents[key]?.document }

    /// Adds a document under a number that is not in use.
    mutating func insert(_ document: Document, _ key: Key, number: Int) {
        keys[number] = key
        documents[key, default: (document, 0)].uses += 1
    }

    /// Removes a number, and its document unless it has other numbers.
    mutating func remove(_ number: Int) {
        guard let key = keys.removeValue(forKey: number), let uses = documents[key]?.uses else { return }
        if uses == 1 { documents[key] = nil } else { documents[key]?.uses = uses - 1 }
    }
}
