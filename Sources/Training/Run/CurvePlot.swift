import Basics
import Checkpoints
import Foundation
import JSON

/// An SVG plot of a run's log: loss and held-out loss, BatchHet, MaxVio, and the learning rate factor.
public struct CurvePlot {
    public static let name = "curves.svg"

    /// A line of points (step, value), ordered by step.
    struct Curve {
        var label: String
        var color: String
        var points: [(x: Double, y: Double)] = []
        /// Whether the points are marked, because there are few of them.
        var isMarked = false
    }

    /// Curves with a common axis.
    struct Panel {
        var title: String
        var curves: [Curve]
    }

    /// The maximum number of points in a curve. A curve with more points is drawn as the means of equal parts.
    private static let mostPoints = 600
    private static let (width, height, left, top, gap) = (760.0, 150.0, 70.0, 34.0, 52.0)

    let panels: [Panel]

    /// Reads the log in an output folder.
    ///
    /// - Throws: `TrainingError.file` if it has no steps.
    public init(_ folder: URL) throws(TrainingError) {
        let url = folder.appending(path: RunLog.name)
        var loss = Curve(label: "loss", color: "#1f77b4")
        var heldOut = Curve(label: "held-out loss", color: "#d62728", isMarked: true)
        var heterogeneity = Curve(label: "BatchHet", color: "#2ca02c")
        var violation = Curve(label: "MaxVio, mean over steps, largest of all layers", color: "#9467bd")
        var rate = Curve(label: "factor of the learning rates", color: "#8c564b")
        RunLog.forEachLine(of: url) { line, _ in
            guard let step = line["step"]?.double else { return true }
            func add(_ value: Double?, to curve: inout Curve) {
                if let value, value.isFinite { curve.points.append((step, value)) }
            }
            add(line["lr_factor"]?.double, to: &rate)
            // A skipped step may have no targets, and then its losses are zero.
            guard line["skipped"] != true else { return true }
            add(line["cross_entropy"]?.double, to: &loss)
            add(line["held_out_loss"]?.double, to: &heldOut)
            add(line["batch_het"]?.double, to: &heterogeneity)
            add(line["max_violation_mean"]?.array?.compactMap(\.double).max(), to: &violation)
            return true
        }
        guard !loss.points.isEmpty || !rate.points.isEmpty else { throw .file(url.path, reason: "has no step") }
        panels = [
            Panel(title: "Cross-entropy, nats", curves: [loss, heldOut]),
            Panel(title: "Largest minus mean loss of a step's micro-batches, nats", curves: [heterogeneity]),
            Panel(title: "Largest load of an expert above the mean, as a share of the mean", curves: [violation]),
            Panel(title: "Learning rate, as a share of the peak", curves: [rate]),
        ].map { Panel(title: $0.title, curves: $0.curves.filter { !$0.points.isEmpty }) }.filter { !$0.curves.isEmpty }
    }

    /// Writes `curves.svg` to a folder.
    ///
    /// - Throws: `CheckpointError.unwritable`.
    public func write(to folder: URL) throws(CheckpointError) {
        try CheckpointWriter.write(Data(svg.utf8), to: Self.name, in: folder)
    }

    /// The plot as SVG.
    var svg: String {
        let last = panels.flatMap(\.curves).compactMap(\.points.last?.x).max() ?? 1
        let total = Double(panels.count) * (Self.height + Self.gap) + Self.top
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width + Self.left + 20)) \(Int(total))" \
            font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            """
        ]
        for (index, panel) in panels.enumerated() {
            let y = Self.top + Double(index) * (Self.height + Self.gap)
            parts += draw(panel, at: y, steps: max(last, 1))
        }
        return (parts + ["</svg>\n"]).joined(separator: "\n")
    }

    private func draw(_ panel: Panel, at top: Double, steps: Double) -> [String] {
        let curves = panel.curves.map { curve in
            var curve = curve
            curve.points = Self.reduced(curve.points)
            return curve
        }
        let values = curves.flatMap { $0.points.map(\.y) }
        let ticks = Self.ticks(min(values.min() ?? 0, 0), values.max() ?? 1)
        let (low, high) = (ticks[0], ticks[ticks.count - 1])
        func x(_ step: Double) -> Double { Self.left + step / steps * Self.width }
        func y(_ value: Double) -> Double { top + Self.height * (1 - (value - low) / (high - low)) }
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        var parts = [
            "<text x=\"\(Int(Self.left))\" y=\"\(number(top - 10))\" font-weight=\"bold\">\(panel.title)</text>"
        ]
        for tick in ticks {
            parts.append(
                """
                <line x1="\(Int(Self.left))" x2="\(Int(Self.left + Self.width))" y1="\(number(y(tick)))" \
                y2="\(number(y(tick)))" stroke="#ddd"/>\
                <text x="\(Int(Self.left - 8))" y="\(number(y(tick) + 4))" text-anchor="end">\(Self.label(tick))</text>
                """)
        }
        for tick in Self.ticks(0, steps) where tick <= steps {
            parts.append(
                """
                <text x="\(number(x(tick)))" y="\(number(top + Self.height + 16))" text-anchor="middle">\
                \(Self.label(tick))</text>
                """)
        }
        parts.append(
            """
            <text x="\(Int(Self.left + Self.width))" y="\(number(top + Self.height + 30))" text-anchor="end">step</text>
            """)
        for (index, curve) in curves.enumerated() {
            let points = curve.points.map { "\(number(x($0.x))),\(number(y($0.y)))" }
            parts.append(
                """
                <polyline fill="none" stroke="\(curve.color)" stroke-width="1.5" points="\(points.joined(separator: " "))"/>\
                <text x="\(Int(Self.left + Self.width - 6))" y="\(number(top + 14 + 15 * Double(index)))" \
                text-anchor="end" fill="\(curve.color)">\(curve.label)</text>
                """)
            if curve.isMarked {
                parts += curve.points.map {
                    "<circle cx=\"\(number(x($0.x)))\" cy=\"\(number(y($0.y)))\" r=\"2.5\" fill=\"\(curve.color)\"/>"
                }
            }
        }
        return parts
    }

    /// Returns at most ``mostPoints`` points, each the mean of the same number of points except the last.
    static func reduced(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        let size = (points.count + mostPoints - 1) / mostPoints
        guard size > 1 else { return points }
        return stride(from: 0, to: points.count, by: size).map { start in
            let part = points[start..<min(start + size, points.count)]
            let sum = part.reduce((x: 0.0, y: 0.0)) { ($0.x + $1.x, $0.y + $1.y) }
            return (sum.x / Double(part.count), sum.y / Double(part.count))
        }
    }

    /// Returns three to seven round numbers that enclose a range, for the ticks of an axis.
    static func ticks(_ low: Double, _ high: Double) -> [Double] {
        let span = high > low ? high - low : max(abs(high), 1)
        let power = pow(10, (log10(span / 5)).rounded(.down))
        let step = [1.0, 2, 5, 10].map { $0 * power }.first { span / $0 <= 5 } ?? span
        let (first, last) = ((low / step).rounded(.down), ((low + span) / step).rounded(.up))
        return stride(from: first, through: last, by: 1).map { $0 * step }
    }

    private static func label(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : String(format: "%g", value)
    }
}
