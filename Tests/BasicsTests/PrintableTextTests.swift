import Testing

@testable import Basics

@Suite struct PrintableTextTests {
    @Test func `control characters are left out, and a long text is cut`() {
        #expect("a\u{1B}[2J\r\n\t\u{7F}\u{9B}b é 字".printable() == "a[2Jb é 字")
        #expect("abc".printable(atMost: 3) == "abc" && "abc\n".printable(atMost: 3) == "abc")
        #expect("abcd".printable(atMost: 3) == "abc...")
    }
}
