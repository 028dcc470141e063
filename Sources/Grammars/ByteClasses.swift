/// Classes of bytes that a grammar never distinguishes: the transitions of a state are stored per class.
struct ByteClasses: Sendable {
    /// The class of each byte.
    private(set) var ofByte = [UInt8](repeating: 0, count: 256)
    let count: Int
    /// Each byte set of the grammar, as a set of classes.
    let sets: [ByteSet]
    /// The bytes of each class.
    let members: [[UInt8]]

    /// O(sets * classes).
    init(_ grammar: Grammar) {
        var classes = [ByteSet(0...255)]
        for set in grammar.sets where classes.count < 256 {
            for index in classes.indices {
                let inside = classes[index].intersection(set)
                guard !inside.isEmpty, inside != classes[index] else { continue }
                classes.append(classes[index].subtracting(set))
                classes[index] = inside
            }
        }
        for byte in UInt8.min...UInt8.max {
            ofByte[Int(byte)] = UInt8(classes.firstIndex { $0.contains(byte) } ?? 0)
        }
        count = classes.count
        var bytes = [[UInt8]](repeating: [], count: classes.count)
        for byte in UInt8.min...UInt8.max { bytes[Int(ofByte[Int(byte)])].append(byte) }
        self.members = bytes
        // A class is in a set if any of its bytes is.
        let members = classes.map { set in UInt8((0...255).first { set.contains(UInt8($0)) } ?? 0) }
        sets = grammar.sets.map { set in
            var result = ByteSet()
            for (index, byte) in members.enumerated() where set.contains(byte) { result.insert(UInt8(index)) }
            return result
        }
    }
}
