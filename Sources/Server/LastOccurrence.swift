import Basics

/// Finds where a text occurs last in another one, in time linear in both (Knuth, Morris and Pratt, "Fast Pattern Matching in
/// Strings", 1977, read from the end). Both are a client's, and can be megabytes.
enum LastOccurrence {
    /// The first byte of the last occurrence; `nil`: there is none, or `Cancellation.isRequested`.
    static func of(_ needle: [UInt8], in text: [UInt8]) -> Int? {
        guard !needle.isEmpty, needle.count <= text.count else { return nil }
        let last = needle.count - 1
        // How much of the needle's end still matches when one more byte does not, (needle)
        var borders = [Int](repeating: 0, count: needle.count)
        var matched = 0
        for index in needle.indices.dropFirst() {
            if index & 4095 == 0, Cancellation.isRequested { return nil }
            while matched > 0, needle[last - index] != needle[last - matched] { matched = borders[matched - 1] }
            if needle[last - index] == needle[last - matched] { matched += 1 }
            borders[index] = matched
        }
        matched = 0
        for index in text.indices.reversed() {
            if index & 4095 == 0, Cancellation.isRequested { return nil }
            while matched > 0, text[index] != needle[last - matched] { matched = borders[matched - 1] }
            if text[index] == needle[last - matched] { matched += 1 }
            if matched == needle.count { return index }
        }
        return nil
    }
}
