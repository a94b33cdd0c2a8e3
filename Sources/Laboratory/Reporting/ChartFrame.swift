/// The part that all charts share: size, margins, axes, and shapes behind the data.
struct ChartFrame {
    static let width = 440
    static let height = 230

    private var commands: [String]
    private var objectCount = 0
    private var plots: [String] = []
    private var blocks: [DataBlock] = []

    /// Labels the axes with their units; the quantity itself stands in the caption.
    init(x: Axis?, xLabel: String, y: Axis, yLabel: String) {
        commands = [
            "set border 1 lw 1 lc rgb \(quoted(Ink.line.code))",
            "unset key",
            "set tics nomirror out scale 0 textcolor rgb \(quoted(Ink.quiet.code))",
            "set grid ytics front lw 1 dt solid lc rgb \(quoted(Ink.line.code))",
            "set grid noxtics back",
            "set lmargin at screen 0.115",
            "set rmargin at screen 0.97",
            "set tmargin at screen 0.885",
            "set bmargin at screen 0.165",
            """
            set label 1 \(quoted(yLabel)) at screen 0.005, screen 0.955 left \
            textcolor rgb \(quoted(Ink.quiet.code))
            """,
            """
            set label 2 \(quoted(xLabel)) at screen 0.97, screen 0.035 right \
            textcolor rgb \(quoted(Ink.quiet.code))
            """,
        ]
        commands += y.commands("y")
        if let x { commands += x.commands("x") }
    }

    mutating func command(_ line: String) {
        commands.append(line)
    }

    /// Shades the full height between two places of the x axis.
    mutating func shade(from low: Double, to high: Double, ink: Ink, opacity: Double) {
        objectCount += 1
        commands.append(
            """
            set object \(objectCount) rect from first \(plain(low)), graph 0 \
            to first \(plain(high)), graph 1 fc rgb \(quoted(ink.code)) \
            fs solid \(opacity) noborder behind
            """
        )
    }

    /// A dashed line of the full height at one place of the x axis.
    mutating func verticalMark(at place: Double, ink: Ink) {
        objectCount += 1
        commands.append(
            """
            set arrow \(objectCount) from first \(plain(place)), graph 0 \
            to first \(plain(place)), graph 1 nohead lw 1.5 dt (4,3) lc rgb \(quoted(ink.code))
            """
        )
    }

    /// A dashed line of the full width at one place of the y axis.
    mutating func horizontalMark(at place: Double, ink: Ink) {
        objectCount += 1
        commands.append(
            """
            set arrow \(objectCount) from graph 0, first \(plain(place)) \
            to graph 1, first \(plain(place)) nohead lw 1.5 dt (4,3) lc rgb \(quoted(ink.code))
            """
        )
    }

    /// Plots columns; `style` is what follows the data in gnuplot's `plot` command.
    mutating func plot(_ columns: [[Double]], _ style: String) {
        guard let first = columns.first, !first.isEmpty else { return }
        let block = DataBlock(name: "d\(blocks.count)", columns: columns)
        blocks.append(block)
        plots.append("$\(block.name) \(style)")
    }

    /// The chart; `nil` when nothing was plotted.
    func chart(label: String) -> Chart? {
        guard !plots.isEmpty else { return nil }
        let plot = "plot " + plots.joined(separator: ", \\\n  ")
        return Chart(
            label: label,
            width: ChartFrame.width,
            height: ChartFrame.height,
            script: (commands + [plot]).joined(separator: "\n"),
            data: blocks
        )
    }
}
