import Foundation

/// A display of the progress of a long task: a bar on a terminal, and otherwise a line every few seconds. It shows nothing for a
/// short task.
///
/// Not Sendable: it belongs to the thread that does the work.
public final class ProgressMeter {
    private let title: String
    private let isTerminal: Bool
    private let now: () -> Duration
    private let write: (String) -> Void
    private let writeLine: (String) -> Void
    private var next: Duration
    private var hasBar = false

    private static let barInterval = Duration.milliseconds(200)
    private static let lineInterval = Duration.seconds(5)
    private static let barWidth = 40

    /// Creates a meter that draws on standard error if that is a terminal, and otherwise passes its lines to `line`.
    public convenience init(_ title: String, line: @escaping (String) -> Void) {
        let clock = ContinuousClock()
        let start = clock.now
        self.init(
            title, isTerminal: isatty(2) == 1, now: { clock.now - start },
            write: { FileHandle.standardError.write(Data($0.utf8)) }, writeLine: line)
    }

    /// Creates a meter that also writes its lines to standard error.
    public convenience init(_ title: String) {
        self.init(title) { FileHandle.standardError.write(Data("\($0)\n".utf8)) }
    }

    init(
        _ title: String, isTerminal: Bool, now: @escaping () -> Duration, write: @escaping (String) -> Void,
        writeLine: @escaping (String) -> Void
    ) {
        self.title = title
        self.isTerminal = isTerminal
        self.now = now
        self.write = write
        self.writeLine = writeLine
        next = now() + (isTerminal ? .seconds(1) : Self.lineInterval)
    }

    /// Reports that `fraction`, in 0...1, of the task is done. `detail` is shown after the percentage.
    public func update(_ fraction: Double, detail: String = "") {
        let time = now()
        guard time >= next else { return }
        let percent = Int(min(max(fraction, 0), 1) * 100)
        let suffix = detail.isEmpty ? "" : ", \(detail)"
        if isTerminal {
            let full = percent * Self.barWidth / 100
            let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.barWidth - full)
            // Erases the rest of a longer line.
            write("\r\(title) [\(bar)] \(percent) %\(suffix)\(detail.isEmpty ? "" : "\u{1B}[K")")
            hasBar = true
            next = time + Self.barInterval
        } else {
            writeLine("\(title): \(percent) %\(suffix)")
            next = time + Self.lineInterval
        }
    }

    /// Removes the bar.
    public func finish() {
        if hasBar { write("\r\u{1B}[K") }
        hasBar = false
    }
}
