/// A number of bytes as text in decimal units, as the Hub shows sizes: `15.2 GB`.
package struct ByteCount: CustomStringConvertible {
    private let bytes: Int

    package init(_ bytes: Int) { self.bytes = bytes }

    package var description: String {
        var (unit, size) = ("bytes", 1)
        for (name, factor) in [("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000)] where bytes >= factor {
            (unit, size) = (name, factor)
        }
        guard size > 1 else { return "\(bytes) bytes" }
        let tenths = bytes / (size / 10)
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}
