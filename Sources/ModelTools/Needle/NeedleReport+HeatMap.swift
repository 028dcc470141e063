import Foundation

extension NeedleReport {
    private enum Layout {
        static let cell = (width: 64, height: 36)
        static let left = 72
        static let top = 72
        static let bottom = 28
        static let right = 24
    }

    /// The scores as an SVG image with a column for each length and a row for each depth.
    public var heatMap: String {
        let width = Layout.left + options.lengths.count * Layout.cell.width + Layout.right
        let height = Layout.top + options.depths.count * Layout.cell.height + Layout.bottom
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
            viewBox="0 0 \(width) \(height)" font-family="sans-serif" font-size="12" text-anchor="middle">
            """,
            #"<rect width="100%" height="100%" fill="white"/>"#,
            Self.text("Needles found: \(header.model)", x: 12, y: 24, anchor: "start", size: 15),
            Self.text("length in tokens, and depth of the needle", x: 12, y: 44, anchor: "start", size: 12),
        ]
        for (column, length) in options.lengths.enumerated() {
            let x = Layout.left + column * Layout.cell.width + Layout.cell.width / 2
            parts.append(Self.text(String(length), x: x, y: Layout.top - 8))
        }
        for (row, depth) in options.depths.enumerated() {
            let top = Layout.top + row * Layout.cell.height
            let middle = top + Layout.cell.height / 2 + 4
            parts.append(Self.text("\(depth) %", x: Layout.left - 8, y: middle, anchor: "end"))
            for (column, length) in options.lengths.enumerated() {
                let (left, cell) = (Layout.left + column * Layout.cell.width, cell(length, depth))
                parts.append(
                    """
                    <rect x="\(left)" y="\(top)" width="\(Layout.cell.width)" height="\(Layout.cell.height)" \
                    fill="\(Self.color(cell.score))" stroke="white"/>
                    """)
                let score = cell.score.map { String(format: "%.2f", $0) } ?? "–"
                parts.append(Self.text(score, x: left + Layout.cell.width / 2, y: middle))
            }
        }
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    /// Returns a color from orange (0) through white to blue (1), which can be told apart with any color vision; gray if there is
    /// no reply.
    private static func color(_ score: Double?) -> String {
        guard let score else { return "#dddddd" }
        let end = score < 0.5 ? (230.0, 130.0, 40.0) : (70.0, 140.0, 220.0)
        let share = abs(score - 0.5) * 2
        func mixed(_ value: Double) -> Int { Int((255 + (value - 255) * share).rounded()) }
        return String(format: "#%02x%02x%02x", mixed(end.0), mixed(end.1), mixed(end.2))
    }

    private static func text(_ text: String, x: Int, y: Int, anchor: String = "middle", size: Int = 12) -> String {
        let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        return #"<text x="\#(x)" y="\#(y)" text-anchor="\#(anchor)" font-size="\#(size)">\#(escaped)</text>"#
    }
}
