import Basics

/// Finds the last occurrence of a text in another one, in time linear in both (Knuth, Morris and Pratt, "Fast Pattern Matching
/// in Strings", 1977, applied from the end). Both come from a client and can be megabytes long.
enum LastOccurrence {
    /// Returns the offset of the last occurrence; `nil` if there is none, or if `Cancellation.isRequested`.
    static func of(_ needle: [UInt8], in text: [UInt8]) -> Int? {
        guard !needle.isEmpty, needle.count <= text.count else { return nil }
        let last = needle.count - 1
        // For each suffix of the needle, the length that still matches after a mismatch, (needle)
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
