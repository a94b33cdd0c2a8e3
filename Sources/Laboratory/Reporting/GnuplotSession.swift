internal import CGnuplot

/// Why charts could not be drawn.
public enum GnuplotError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The program is not installed; `package` is Debian's name for what carries it.
    case programMissing(program: String, package: String, reason: String)
    /// Memory, a descriptor or a process was refused.
    case system(String)
    /// Gnuplot ended with an error and said so.
    case script(String)
    /// Gnuplot ran past its time limit and was ended.
    case timedOut
    /// What came back is not a drawing that this module understands.
    case drawing(SVGError)

    public var description: String {
        switch self {
        case .programMissing(let program, let package, let reason):
            """
            charts need \(program), which cannot be started (\(reason)): install the Debian \
            package \(package) with `apt-get install \(package)`
            """
        case .system(let message): "charts could not be drawn: \(message)"
        case .script(let message): "gnuplot refused a chart: \(message)"
        case .timedOut: "gnuplot ran past its time limit and was ended"
        case .drawing(let error): "gnuplot gave a drawing that cannot be read: \(error)"
        }
    }
}

/// Columns of equal length that a chart's script reads as the data block `$name`.
package struct DataBlock: Equatable {
    /// A letter, then letters and digits.
    package let name: String
    /// At least one column and one row; a value that is not a number is a gap.
    package let columns: [[Double]]

    package init(name: String, columns: [[Double]]) {
        self.name = name
        self.columns = columns
    }
}

/// One chart before it is drawn.
package struct Chart: Equatable {
    /// What the picture shows, for those who cannot see it.
    package let label: String
    /// The drawing's size in user units; it scales to the width it gets.
    package let width: Int
    package let height: Int
    /// Gnuplot commands; the terminal is set by the session.
    package let script: String
    package let data: [DataBlock]

    package init(label: String, width: Int, height: Int, script: String, data: [DataBlock]) {
        self.label = label
        self.width = width
        self.height = height
        self.script = script
        self.data = data
    }
}

/// Draws all charts of a report with one gnuplot process.
package struct GnuplotSession {
    /// Looked up along PATH unless it holds a slash.
    package var program: String
    /// The life of the process. A report's charts take well under a second.
    package var timeLimitMilliseconds: Int32

    package init(program: String = "gnuplot", timeLimitMilliseconds: Int32 = 60_000) {
        self.program = program
        self.timeLimitMilliseconds = timeLimitMilliseconds
    }

    /// Debian's package with the program.
    package static let package = "gnuplot-nox"

    /// The charts as SVG elements that follow the page's colours, in the order given. Equal charts
    /// give equal text for one version of gnuplot.
    package func draw(_ charts: [Chart]) throws(GnuplotError) -> [String] {
        guard !charts.isEmpty else { return [] }
        let documents = try documents(for: charts)
        var drawings: [String] = []
        for (chart, document) in zip(charts, documents) {
            do throws(SVGError) {
                drawings.append(try SVGElement.parse(document).themed(label: chart.label))
            } catch {
                throw .drawing(error)
            }
        }
        return drawings
    }

    private func documents(for charts: [Chart]) throws(GnuplotError) -> [String] {
        let arena = PlotArena(charts)
        defer { arena.deallocate() }
        var result = novalab_plot_result()
        defer { novalab_plot_release(&result) }
        let status = novalab_plot_render(
            program,
            arena.charts.baseAddress,
            charts.count,
            timeLimitMilliseconds,
            &result
        )
        guard status == NOVALAB_PLOT_DRAWN else { throw failure(status, result) }
        return (0..<result.document_count).map { String(cString: result.documents[$0]!) }
    }

    private func failure(
        _ status: novalab_plot_status,
        _ result: novalab_plot_result
    ) -> GnuplotError {
        let message = withUnsafeBytes(of: result.message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch status {
        case NOVALAB_PLOT_PROGRAM_MISSING:
            return .programMissing(
                program: program,
                package: GnuplotSession.package,
                reason: message
            )
        case NOVALAB_PLOT_SCRIPT_FAILED: return .script(message)
        case NOVALAB_PLOT_TIMED_OUT: return .timedOut
        case NOVALAB_PLOT_SYSTEM_FAILED: return .system(message)
        default: preconditionFailure("charts broke a limit of the bridge: \(message)")
        }
    }
}

/// The charts in the layout that the C bridge reads, in memory of its own.
private struct PlotArena {
    let charts: UnsafeMutableBufferPointer<novalab_plot_chart>
    private let strings: [UnsafeMutablePointer<CChar>]
    private let blocks: [UnsafeMutableBufferPointer<novalab_plot_data>]
    private let columnLists: [UnsafeMutableBufferPointer<UnsafePointer<Double>?>]
    private let columns: [UnsafeMutableBufferPointer<Double>]

    init(_ source: [Chart]) {
        var strings: [UnsafeMutablePointer<CChar>] = []
        var blocks: [UnsafeMutableBufferPointer<novalab_plot_data>] = []
        var lists: [UnsafeMutableBufferPointer<UnsafePointer<Double>?>] = []
        var columns: [UnsafeMutableBufferPointer<Double>] = []
        func keep(_ text: String) -> UnsafePointer<CChar> {
            let bytes = text.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            for (offset, byte) in bytes.enumerated() { copy[offset] = byte }
            strings.append(copy)
            return UnsafePointer(copy)
        }
        func keep(_ block: DataBlock) -> novalab_plot_data {
            let rows = block.columns.first?.count ?? 0
            let list = UnsafeMutableBufferPointer<UnsafePointer<Double>?>.allocate(
                capacity: block.columns.count
            )
            for (index, column) in block.columns.enumerated() {
                precondition(column.count == rows, "columns of \(block.name) differ in length")
                let copy = UnsafeMutableBufferPointer<Double>.allocate(capacity: rows)
                _ = copy.initialize(from: column)
                columns.append(copy)
                list.initializeElement(at: index, to: UnsafePointer(copy.baseAddress!))
            }
            lists.append(list)
            return novalab_plot_data(
                name: keep(block.name),
                columns: UnsafePointer(list.baseAddress),
                column_count: block.columns.count,
                row_count: rows
            )
        }
        let target = UnsafeMutableBufferPointer<novalab_plot_chart>.allocate(capacity: source.count)
        for (index, chart) in source.enumerated() {
            let data = UnsafeMutableBufferPointer<novalab_plot_data>.allocate(
                capacity: max(1, chart.data.count)
            )
            for (position, block) in chart.data.enumerated() {
                data.initializeElement(at: position, to: keep(block))
            }
            blocks.append(data)
            let terminal = """
                set terminal svg size \(chart.width),\(chart.height) dynamic noenhanced \
                font 'sans-serif,12' rounded
                set encoding utf8

                """
            target.initializeElement(
                at: index,
                to: novalab_plot_chart(
                    script: keep(terminal + chart.script),
                    data: UnsafePointer(data.baseAddress),
                    data_count: chart.data.count
                )
            )
        }
        charts = target
        self.strings = strings
        self.blocks = blocks
        columnLists = lists
        self.columns = columns
    }

    func deallocate() {
        for string in strings { string.deallocate() }
        for column in columns { column.deallocate() }
        for list in columnLists { list.deallocate() }
        for block in blocks { block.deallocate() }
        charts.deallocate()
    }
}
