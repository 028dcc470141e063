import HTTPTypes
import Testing

@testable import Server

/// `traceparent`, with the examples of W3C Trace Context.
@Suite struct TraceParentTests {
    private func parse(_ value: String) throws -> TraceParent? {
        TraceParent([try #require(HTTPField.Name("traceparent")): value])
    }

    @Test func `a valid field has trace and span`() throws {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for value in [
            "00-\(trace)-00f067aa0ba902b7-01", "cc-\(trace)-00f067aa0ba902b7-01-what-the-future-will-be-like",
        ] {
            let parent = try parse(value)
            #expect(parent?.traceID == trace && parent?.parentID == "00f067aa0ba902b7")
        }
    }

    @Test(
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{E9}-00f067aa0ba902b7-01",
        ])
    func `an invalid field counts as absent`(value: String) throws {
        #expect(try parse(value) == nil)
        #expect(TraceParent([:]) == nil)
    }
}
