import CGnuplot
import Testing

import Reporting

/// Goal: charts come back as SVG that a page can carry, and every failure is a typed one.
/// Method: small scripts through the real gnuplot, and programs that are missing, fail or hang.
@Suite struct GnuplotSessionTests {
    private func chart(_ script: String, values: [Double] = [1, 4, 2]) -> Chart {
        Chart(
            label: "a < b & \"c\"",
            width: 320,
            height: 200,
            script: script,
            data: [
                DataBlock(name: "points", columns: [[0, 1, 2], values])
            ]
        )
    }

    private let dots = "plot $points using 1:2 with points pt 7 lc rgb '\(Ink.variant(1).code)'"

    @Test func drawsSeveralChartsInOneProcess() throws {
        let drawings = try GnuplotSession().draw([
            chart(dots),
            chart("plot $points using 1:2 with lines lc rgb '\(Ink.variant(0).code)' notitle"),
        ])
        #expect(drawings.count == 2)
        #expect(drawings[0].contains("<circle") && drawings[0].contains("var(--v1)"))
        #expect(!drawings[1].contains("<circle") && drawings[1].contains("var(--v0)"))
        for drawing in drawings {
            #expect(drawing.hasPrefix("<svg") && drawing.hasSuffix("</svg>"))
            #expect(drawing.contains("aria-label=\"a &lt; b &amp; &quot;c&quot;\""))
            for unwanted in ["xlink", " id=", "<?xml", "rgb(", "font-family", "black"] {
                #expect(!drawing.contains(unwanted), "\(unwanted)")
            }
            _ = try SVGElement.parse(drawing)
        }
    }

    @Test func equalInputGivesEqualBytes() throws {
        let charts = [chart(dots), chart(dots, values: [3, .nan, 5])]
        let first = try GnuplotSession().draw(charts)
        #expect(try GnuplotSession().draw(charts) == first)
        #expect(first[0] != first[1])
    }

    @Test func namesThePackageWhenTheProgramIsMissing() {
        let session = GnuplotSession(program: "/nonexistent/gnuplot")
        let error = #expect(throws: GnuplotError.self) { try session.draw([chart(dots)]) }
        guard case .programMissing(_, let package, _) = error else {
            Issue.record("not recognised as missing: \(String(describing: error))")
            return
        }
        #expect(package == "gnuplot-nox")
        #expect(error?.description.contains("apt-get install gnuplot-nox") == true)
    }

    @Test func tellsWhatGnuplotSaid() {
        let error = #expect(throws: GnuplotError.self) {
            try GnuplotSession().draw([chart("plot nothing with nonsense")])
        }
        guard case .script(let message) = error else {
            Issue.record("not a script error: \(String(describing: error))")
            return
        }
        #expect(message.contains("line"))
    }

    @Test func aChartThatDrawsNothingIsAnError() {
        #expect(throws: GnuplotError.self) { try GnuplotSession().draw([chart("unset key")]) }
    }

    @Test func endsAProgramThatHangs() {
        let session = GnuplotSession(timeLimitMilliseconds: 200)
        #expect(throws: GnuplotError.timedOut) { try session.draw([chart("pause 30\n" + dots)]) }
    }

    @Test func theBridgeRefusesWhatBreaksItsLimits() {
        var result = novalab_plot_result()
        #expect(novalab_plot_render(nil, nil, 0, 1, &result) == NOVALAB_PLOT_BAD_ARGUMENT)
        #expect(novalab_plot_render("gnuplot", nil, 3, 1, &result) == NOVALAB_PLOT_BAD_ARGUMENT)
        #expect(novalab_plot_render("gnuplot", nil, 0, 1, nil) == NOVALAB_PLOT_BAD_ARGUMENT)
        novalab_plot_release(&result)
        novalab_plot_release(&result)
        novalab_plot_release(nil)
    }
}
