import Foundation
import Judging
import Measurements
import Reporting
import Testing
import Units

/// Goal: the picture of a boot shows each component once, in its row, where its spans say, and
/// nothing in it needs colour alone.
/// Method: made-up boots are rendered, the page is read back and places are recomputed.
@Suite struct BootPageTests {
    private func markup(_ input: ReportInput, _ name: String = "boot") throws -> Markup.Element {
        let page = try Report.render(input)
        // Pages to look at, for whoever works on the layout.
        if let folder = ProcessInfo.processInfo.environment["NOVALAB_TEST_PAGES"] {
            try page.write(toFile: "\(folder)/\(name).html", atomically: true, encoding: .utf8)
        }
        let markup = Markup(page)
        #expect(markup.problem == nil)
        return try #require(markup.root)
    }

    /// The element of this identifier.
    private func section(_ root: Markup.Element, _ identifier: String) throws -> Markup.Element {
        try #require(root.all { $0.attributes["id"] == identifier }.first)
    }

    @Test func variantsStandSideBySideOnOneScale() throws {
        let example = BootExample()
        let boot = try section(try markup(example.report), "boot")
        let panels = boot.all(class: "panel")
        #expect(panels.count == 3)
        #expect(
            boot.all(class: "gantt").map { $0.attributes["class"] } == ["gantt abreast3 rows18"]
        )
        let boots = RepresentativeBoot.all(of: example.report.campaign)
        var scales: [Double] = []
        for (panel, representative) in zip(panels, boots) {
            let timeline = representative.timeline
            #expect(
                panel.all(class: "head")[0].words == "\(timeline.variant) \(representative.choice)"
            )
            // A row a phase and a row a component, in the picture and beside it.
            let names = panel.all(class: "names")[0].all("span")
            #expect(
                names.filter { $0.attributes["class"] == "phase" }.map(\.words) == [
                    "pre", "core", "service", "post",
                ]
            )
            #expect(names.count == 4 + BootExample.plan.count)
            let groups = panel.all("g").filter { !$0.all("title").isEmpty }
            #expect(groups.count == names.count)
            for component in timeline.components {
                let group = try #require(
                    groups.first { $0.all("title")[0].text.hasPrefix("\(component.name): ") }
                )
                let bars = group.all("rect")
                #expect(bars.count == component.attempts.count)
                for (bar, span) in zip(bars, component.attempts) {
                    let width = try #require(
                        Double(bar.attributes["width"]!.dropLast())
                    )
                    if span.duration.seconds > 0.5 {
                        scales.append(span.duration.seconds / width * 100)
                    }
                }
            }
            let ready = try #require(panel.all(class: "ready").first)
            #expect(ready.words == "READY \(Decimals.duration(timeline.bootSeconds!))")
        }
        let (least, most) = (scales.min()!, scales.max()!)
        #expect(most / least < 1.001, "all bars on one time scale")
    }

    @Test func theCriticalPathIsALineFromStartToReady() throws {
        let boot = try section(try markup(BootExample(withTrouble: false).report), "boot")
        for panel in boot.all(class: "panel") {
            let chain = try #require(
                panel.all("g").first { $0.attributes["pointer-events"] == "none" }
            )
            let lines = chain.all("line")
            func number(_ line: Markup.Element, _ name: String) -> Double {
                Double(line.attributes[name]!.split(separator: "%")[0])!
            }
            #expect(number(lines[0], "x1") == 0)
            for (first, second) in zip(lines, lines.dropFirst()) {
                #expect(abs(number(first, "x2") - number(second, "x1")) < 0.01)
                #expect(abs(number(first, "y2") - number(second, "y1")) < 0.01)
            }
            let ready = panel.all("line").filter { $0.attributes["stroke"] == "var(--go)" }
            #expect(abs(number(lines.last!, "x2") - number(ready[0], "x1")) < 0.01)
        }
        #expect(boot.all(class: "legend")[0].words.contains("on the critical path"))
        let paths = boot.all("dd").map(\.words)
        #expect(paths.count == 3)
        #expect(paths[2].hasPrefix("configuration ") && paths[2].contains(" → post "))
    }

    @Test func statesDifferInShapeAndAreExplained() throws {
        let boot = try section(try markup(BootExample().report), "boot")
        let cache = try #require(
            boot.all("g").first { $0.all("title").first?.text.hasPrefix("cache: ") == true }
        )
        // Two failed attempts with a cross each, then a dashed fallback; two delays between them.
        #expect(cache.all("path").count == 2)
        let dashed = cache.all("rect").map { $0.attributes["stroke-dasharray"] != nil }
        #expect(dashed == [false, false, true])
        #expect(cache.all("line").count >= 2)
        let words = try #require(cache.all("title").first).words
        #expect(words.contains("3 attempts; ready with a fallback"))
        let legend = boot.all(class: "legend")[0].words
        for state in ["a fallback took over", "failed attempt", "delay before a retry", "READY"] {
            #expect(legend.contains(state))
        }
        #expect(!legend.contains("not started") && !legend.contains("cancelled"))
    }

    @Test func theTableStatesFiguresAndBounds() throws {
        let example = BootExample()
        let boot = try section(try markup(example.report), "boot")
        let rows = boot.all("table")[0].all("tbody")[0].all("tr").map { $0.all("td").map(\.words) }
        let boots = RepresentativeBoot.all(of: example.report.campaign)
        for (row, representative) in zip(rows, boots) {
            let timeline = representative.timeline
            #expect(
                row == [
                    "\(timeline.variant) \(representative.choice)",
                    Decimals.duration(timeline.bootSeconds!),
                    Decimals.duration(representative.componentSeconds), "9 s",
                    Decimals.text(representative.speedup!, places: 2) + "x", "2.40x",
                ]
            )
        }
        #expect(rows.count == 3)
        let numbers = boot.all("details")
        #expect(numbers.count == 3)
        #expect(numbers[0].all("tbody")[0].all("tr").count == BootExample.plan.count)
    }

    @Test func clustersShowTheMedianAndTheSlowestNode() throws {
        var example = BootExample(seeds: 3, nodes: 9)
        let several = try section(try markup(example.report, "cluster"), "boot")
        #expect(several.all(class: "gantt").count == 2)
        #expect(several.all(class: "panel").count == 6)
        example.variants = ["dependency-ready"]
        let one = try section(try markup(example.report), "boot")
        #expect(one.all(class: "gantt").map { $0.attributes["class"] } == ["gantt abreast2 rows18"])
        let heads = one.all(class: "head").map(\.words)
        #expect(heads[0].contains("median of 9 nodes") && heads[1].contains("slowest of 9 nodes"))
    }

    @Test func manyComponentsStayReadable() throws {
        let example = BootExample(seeds: 1, parts: BootExample.large(60), withTrouble: false)
        let boot = try section(try markup(example.report, "large"), "boot")
        #expect(boot.all(class: "gantt")[0].attributes["class"] == "gantt abreast3 rows13")
        #expect(boot.all(class: "names")[0].all("span").count == 64)
        let more = BootExample(seeds: 1, parts: BootExample.large(90), withTrouble: false)
        let cut = try section(try markup(more.report), "boot")
        let parts = cut.all(class: "names")[0].all("span").filter {
            $0.attributes["class"] == "part"
        }
        #expect(parts.count == 60)
        #expect(cut.words.contains("30 components that are short and not critical have no row"))
        // The critical ones are all there.
        for title in cut.all("title").map(\.text) where title.contains("on the critical path") {
            #expect(parts.contains { title.hasPrefix($0.words + ":") })
        }
    }

    @Test func aBootThatFailedIsShownAsSuch() throws {
        var input = BootExample(seeds: 2, variants: ["graph"]).report
        for index in input.campaign.runs.indices {
            input.campaign.runs[index].outcome = .failed(message: "the database is broken")
            input.campaign.runs[index].markers = []
            input.campaign.runs[index].metrics = []
            let spans = input.campaign.runs[index].spans
            input.campaign.runs[index].spans = spans.map { span in
                let outcome: Span.Outcome =
                    switch span.name {
                    case "database": .failed
                    case "dwcp": .cancelled
                    case "api", "orchestration", "post": .skipped
                    default: span.outcome
                    }
                return Span(
                    lane: span.lane,
                    name: span.name,
                    group: span.group,
                    start: span.start,
                    end: outcome == .skipped ? span.start : span.end,
                    outcome: outcome,
                    isCritical: span.name == "database"
                )
            }
        }
        let boot = try section(try markup(input, "failed"), "boot")
        #expect(boot.all(class: "ready").first?.words == "not READY")
        #expect(boot.words.contains("seed 42, did not complete"))
        #expect(boot.all("circle").filter { $0.attributes["r"] == "3" }.count == 3)
        let legend = boot.all(class: "legend")[0].words
        #expect(legend.contains("cancelled") && legend.contains("not started"))
        #expect(boot.all("table")[0].words.contains("not READY"))
    }

    @Test func hostileNamesStayText() throws {
        var example = BootExample(seeds: 1)
        let hostile = "\"><script>alert(1)</script> onload=\"x\" \u{202E}"
        example.parts[3].name = hostile
        example.parts[0].phase = hostile
        let root = try markup(example.report)
        #expect(root.all("script").isEmpty)
        for element in root.all(where: { _ in true }) {
            for name in element.attributes.keys { #expect(!name.hasPrefix("on")) }
        }
    }

    @Test func everyCrashPointIsListed() throws {
        var example = BootExample(seeds: 1, variants: ["graph"])
        example.crashPoints = (0..<40).map { ("database.step-\($0 / 2) \($0 % 2)", 1) }
        example.crashPoints.append(("cache.save before", 0))
        let faults = try section(try markup(example.report, "crash"), "faults")
        let rows = try #require(faults.all(class: "points").first).all("tbody")[0].all("tr")
        #expect(rows.count == 41)
        #expect(rows[0].all("td").map(\.words) == ["✗", "cache.save before", "1", "0"])
        #expect(rows[1].all("td").map(\.words) == ["✓", "database.step-0 0", "1", "1"])
        #expect(faults.words.contains("40 of 41 crash points were survived every time."))
        let without = try section(try markup(BootExample(seeds: 1).report), "faults")
        #expect(without.all(class: "points").isEmpty)
    }

    @Test func campaignsWithoutBootsHaveNoSuchSection() throws {
        let root = try markup(ExampleInput(seeds: 2).report)
        #expect(root.all { $0.attributes["id"] == "boot" }.isEmpty)
        #expect(root.all("a").allSatisfy { $0.attributes["href"] != "#boot" })
    }

    @Test func whatRanComesSecond() throws {
        let root = try markup(BootExample(seeds: 2).report)
        let order = root.all("section").compactMap { $0.attributes["id"] }
        #expect(
            order == [
                "verdict", "origins", "targets", "boot", "time", "metrics", "variants", "faults",
                "queries",
            ]
        )
        let origins = try section(root, "origins")
        #expect(origins.all("p")[0].words.hasPrefix("commit 0123456789ab · 6 runs, seeds 42–43"))
    }
}
