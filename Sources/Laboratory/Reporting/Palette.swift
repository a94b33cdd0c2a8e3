/// What a colour of a chart means. The page's style sheet gives each its value for light, dark and
/// print.
///
/// Gnuplot knows fixed colours only, so each meaning travels as a colour of its own through gnuplot
/// and becomes a CSS variable when the drawing is put into the page.
package enum Ink: Equatable {
    case text
    case quiet
    case line
    /// Thin lines that join dots.
    case thread
    case paper
    case fault
    case warmup
    case target
    case verdict(VerdictTone)
    /// The accent of the variant at this place.
    case variant(Int)

    /// The number of accents; more variants begin again at the first.
    package static let accentCount = 6

    private static let marker = 0x01FE
    private static let fixed: [Ink] = [
        .text, .quiet, .line, .thread, .paper, .fault, .warmup, .target,
        .verdict(.go), .verdict(.no), .verdict(.open), .verdict(.none),
    ]

    /// The colour gnuplot draws with, for example `#01FE03`.
    package var code: String {
        let index =
            switch self {
            case .variant(let place): 0x80 + place % Ink.accentCount
            default: Ink.fixed.firstIndex(of: self)!
            }
        let digits = String(Ink.marker << 8 | index, radix: 16, uppercase: true)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// The meaning of a colour that came back from gnuplot; `nil` for any other colour.
    package init?(red: Int, green: Int, blue: Int) {
        guard red << 8 | green == Ink.marker else { return nil }
        if Ink.fixed.indices.contains(blue) {
            self = Ink.fixed[blue]
        } else if (0x80..<0x80 + Ink.accentCount).contains(blue) {
            self = .variant(blue - 0x80)
        } else {
            return nil
        }
    }

    /// The value of a colour attribute or style.
    package var css: String { "var(--\(name))" }

    /// The variable of the style sheet, and the class of an accent.
    var name: String {
        switch self {
        case .text: "ink"
        case .quiet: "dim"
        case .line: "line"
        case .thread: "thread"
        case .paper: "paper"
        case .fault: "fault"
        case .warmup: "warm"
        case .target: "mark"
        case .verdict(let tone): tone.rawValue
        case .variant(let place): "v\(place % Ink.accentCount)"
        }
    }
}

/// The colour of a judgement.
package enum VerdictTone: String, Equatable, Sendable {
    case go
    case no
    case open = "maybe"
    case none = "dim"
}
