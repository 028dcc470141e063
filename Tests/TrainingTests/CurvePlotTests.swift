import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

@Suite struct CurvePlotTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
    }

    private func write(_ lines: [JSONValue]) throws {
        try temporary.write(lines.flatMap { $0.serialized + [UInt8(ascii: "\n")] }, to: RunLog.name)
    }

    @Test func `a picture is XML with every curve, and long curves are thinned`() throws {
        var lines: [JSONValue] = []
        for step in 0..<5000 {
            lines.append([
                "step": .integer(step), "cross_entropy": .double(8 / Double(step + 1)), "batch_het": 0.25,
                "lr_factor": 1, "max_violation_mean": [0.5, .double(Double(step) / 5000)],
            ])
            if step % 1000 == 999 { lines.append(["step": .integer(step + 1), "held_out_loss": 0.5]) }
        }
        try write(lines)
        let plot = try CurvePlot(temporary.directory)
        try plot.write(to: temporary.directory)
        let text = try String(contentsOf: temporary.directory.appending(path: CurvePlot.name), encoding: .utf8)
        #expect(plot.panels.count == 4)
        #expect(text.components(separatedBy: "<polyline").count == 6)
        #expect(text.components(separatedBy: "<circle").count == 6)
        #expect(text.utf8.count < 100_000 && !text.contains("nan"))
        for label in ["held-out loss", "BatchHet", "MaxVio", "Learning rate", ">step<", ">5000<"] {
            #expect(text.contains(label), "\(label)")
        }
        // Every tag is closed.
        #expect(text.components(separatedBy: "<text").count == text.components(separatedBy: "</text>").count)
        #expect(text.hasSuffix("</svg>\n"))
    }

    @Test func `a step without targets has no loss`() throws {
        try write([
            ["step": 0, "cross_entropy": 3, "lr_factor": 1],
            ["step": 1, "cross_entropy": 0, "batch_het": 0, "lr_factor": 1, "skipped": true],
        ])
        let panels = try CurvePlot(temporary.directory).panels
        #expect(panels.count == 2 && panels[0].curves[0].points.count == 1)
    }

    @Test func `a log without a step is refused, and a torn line ends it`() throws {
        #expect(throws: TrainingError.self) { try CurvePlot(temporary.directory) }
        try temporary.write(Array("{\"step\":0,\"cross_entropy\":2}\n{\"step\":1,\"cross_".utf8), to: RunLog.name)
        #expect(try CurvePlot(temporary.directory).panels[0].curves[0].points.count == 1)
    }

    @Test(arguments: [(0, 5), (0, 4.7), (2, 2), (-0.3, 0.1), (0, 1e6), (0, 1e-5), (0, 0)] as [(Double, Double)])
    func `ticks are few and enclose the range`(low: Double, high: Double) {
        let ticks = CurvePlot.ticks(low, high)
        #expect((2...8).contains(ticks.count), "\(ticks)")
        #expect(ticks[0] <= low && ticks[ticks.count - 1] >= high)
    }

    @Test func `a resumed log has no line of a step that is done again`() throws {
        try write([
            ["step": 0, "cross_entropy": 3], ["step": 1, "cross_entropy": 2], ["step": 2, "held_out_loss": 2],
            ["step": 2, "cross_entropy": 1], ["step": 3, "held_out_loss": 1],
        ])
        let log = try RunLog(temporary.directory, step: 2)
        try log.write(["step": 2, "cross_entropy": 9])
        var lines: [JSONValue] = []
        RunLog.forEachLine(of: temporary.directory.appending(path: RunLog.name)) { line, _ in
            lines.append(line)
            return true
        }
        #expect(lines.map { $0["step"]?.integer } == [0, 1, 2, 2])
        #expect(lines.last?["cross_entropy"]?.double == 9)
    }
}
