import Foundation
import Judging
import Measurements
import Reporting
import Statistics
import Testing
import Units

/// Goal: the page is one sound file that says what its input says and nothing else.
/// Method: render made-up inputs, read the page back with a strict XML parser, and compare.
@Suite struct PageRenderingTests {
    private func markup(_ input: ReportInput) throws -> Markup.Element {
        let page = try Report.render(input)
        // A page to look at, for whoever works on the layout.
        if let path = ProcessInfo.processInfo.environment["NOVALAB_TEST_PAGE"] {
            try page.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let markup = Markup(page)
        #expect(markup.problem == nil)
        return try #require(markup.root)
    }

    @Test func isOneSoundFile() throws {
        let root = try markup(ExampleInput().report)
        #expect(root.name == "html")
        let identifiers = root.all { $0.attributes["id"] != nil }.map { $0.attributes["id"]! }
        #expect(Set(identifiers).count == identifiers.count)
        #expect(!identifiers.isEmpty)
        for element in root.all(where: { _ in true }) {
            let allowed = !["script", "link", "img", "iframe", "object", "image", "use", "form"]
                .contains(element.name)
            #expect(allowed, "element \(element.name)")
            for (name, value) in element.attributes {
                #expect(name != "src" && !name.hasPrefix("on"), "attribute \(name)")
                if name == "href" { #expect(identifiers.contains(String(value.dropFirst()))) }
                #expect(!value.contains("url(") && !value.contains("//"), "\(name)=\(value)")
            }
        }
        let style = try #require(root.all("style").first).text
        #expect(!style.contains("url(") && !style.contains("@import"))
        for section in [
            "verdict", "targets", "metrics", "variants", "faults", "origins", "queries",
        ] {
            #expect(identifiers.contains(section), "\(section)")
        }
    }

    // What a reader must see before any figure comes before the verdict, warnings after it.
    @Test func noticesComeFirst() throws {
        let root = try markup(ExampleInput().report)
        let order = root.all { element in
            element.attributes["id"] == "verdict" || element.attributes["class"] == "notice"
        }
        #expect(order.first?.attributes["class"] == "notice")
        #expect(order.first?.words.hasPrefix("This page shows test data") == true)
        #expect(order.contains { $0.attributes["id"] == "verdict" })
    }

    // Links whose transfers begin at different times have warm-ups of their own.
    @Test(arguments: [("", 2), ("ocean", 1), ("lake", 1), ("river", 0)])
    func aWarmUpIsShadedForItsOwnLinkAlone(link: String, shaded: Int) throws {
        var input = ExampleInput(withFaults: false).report
        for index in input.campaign.runs.indices {
            input.campaign.runs[index].series = ["ocean", "lake"].map { name in
                Series(
                    name: "goodput",
                    unit: "bit/s",
                    labels: [Label("link", name)],
                    kind: .rate,
                    start: .zero,
                    width: .seconds(1),
                    values: (0..<20).map { 1e6 * Double(1 + $0 % 3) }
                )
            }
            input.campaign.runs[index].markers = [
                Marker(time: .zero + .seconds(5), kind: "warmup.end", text: link)
            ]
        }
        let captions = try markup(input).all("figcaption").map(\.words)
        #expect(captions.count { $0.contains("goodput · link=") } >= 2)
        #expect(captions.count { $0.contains("warm-up that was cut is shaded") } == shaded)
    }

    @Test func everyDrawingScalesAndSpeaks() throws {
        let root = try markup(ExampleInput().report)
        let drawings = root.all("svg")
        #expect(drawings.count > 12)
        for drawing in drawings {
            #expect(drawing.attributes["role"] == "img")
            #expect(drawing.attributes["aria-label"]?.isEmpty == false)
            #expect(drawing.attributes["viewBox"] != nil && drawing.attributes["width"] == nil)
            for shape in drawing.all(where: { _ in true }) {
                for name in ["fill", "stroke"] {
                    guard let paint = shape.attributes[name] else { continue }
                    #expect(paint == "none" || paint.hasPrefix("var(--"), "\(paint)")
                }
            }
        }
    }

    @Test func equalInputGivesEqualBytes() throws {
        let first = try Report.render(ExampleInput().report)
        #expect(try Report.render(ExampleInput().report) == first)
        #expect(try Report.render(ExampleInput(seeds: 11).report) != first)
    }

    @Test func saysTheVerdictAndItsReasons() throws {
        let input = ExampleInput().report
        let root = try markup(input)
        let verdict = try #require(root.all(class: "verdict").first)
        #expect(verdict.all(class: "word").first?.words == input.judgement.verdict.word.rawValue)
        for sentence in input.judgement.verdict.sentences {
            #expect(verdict.words.contains(sentence))
        }
        #expect(verdict.words.contains("novalab replay example.yaml --seed 42"))
        let notices = root.all(class: "notice").map(\.words)
        #expect(notices.contains { $0.contains("test data") })
        #expect(notices.contains { $0.contains("never fired") })
    }

    @Test func targetsPrintTheJudgementsFigures() throws {
        let input = ExampleInput().report
        let lines = try markup(input).all(class: "target")
        #expect(lines.count == input.judgement.targets.count)
        for (line, target) in zip(lines, input.judgement.targets) {
            #expect(line.all(class: "got").first?.words == target.figureText)
            #expect(line.words.contains(target.expression))
            #expect(line.words.contains(target.subjectName))
            #expect(line.words.contains(target.status.word))
            #expect(target.boundText.isEmpty || line.words.contains(target.boundText))
            #expect(line.words.contains("n = \(target.estimate!.count)"))
            #expect(
                line.words.contains(target.definition.split(separator: " ").joined(separator: " "))
            )
            #expect(line.all(class: "bar").count == 1)
        }
    }

    /// Every cell of the metric tables is recomputed from the runs.
    @Test func metricTablesPrintTheRunsFigures() throws {
        let example = ExampleInput()
        let input = example.report
        let articles = try markup(input).all(class: "metric")
        #expect(articles.count == 4)
        for article in articles {
            let name = try #require(article.all("h3").first).words
            let unit = try #require(MetricCatalogue.standard[name]).unit
            let rows = try #require(article.all("tbody").first).all("tr")
            #expect(rows.count == 2)
            for (row, variant) in zip(rows, example.variants) {
                let runs = input.campaign.runs.filter { $0.key.variant == variant }
                let figures = runs.compactMap { $0.value(of: name) }
                let estimate = try #require(
                    Estimate.mean(of: figures.map(\.value), confidence: 0.95)
                )
                let text = FigureText.estimate(estimate, unit: unit)
                let low = unit.text(figures.map(\.value).min()!)
                let high = unit.text(figures.map(\.value).max()!)
                let bound = figures[0].bound.map { bound in
                    (bound.side == .upper ? "≤ " : "≥ ") + unit.text(bound.limit)
                }
                let cells = row.all("td").map(\.words)
                #expect(
                    cells == [
                        variant, text.value, text.interval,
                        low == high ? low : "\(low) – \(high)", bound ?? "–", "\(figures.count)",
                    ]
                )
            }
        }
    }

    @Test func comparisonsPrintPairedFigures() throws {
        let input = ExampleInput().report
        let table = try #require(
            try markup(input).all { $0.attributes["id"] == "variants" }.first?.all("tbody").first
        )
        for row in table.all("tr") {
            let cells = row.all("td").map(\.words)
            func values(_ variant: String) -> [Double] {
                input.campaign.runs.filter { $0.key.variant == variant }
                    .compactMap { $0.value(of: cells[0])?.value }
            }
            let pairs = PairedComparison(first: values("dwcp"), second: values("baseline"))
            let unit = try #require(MetricCatalogue.standard[cells[0]]).unit
            let difference = FigureText.estimate(pairs.difference(confidence: 0.95), unit: unit)
            let ratio = FigureText.estimate(
                try #require(pairs.ratio(confidence: 0.95)),
                unit: .factor
            )
            #expect(cells[1] == "dwcp vs baseline")
            #expect(cells[2] == difference.value + difference.interval)
            #expect(cells[3] == ratio.value + ratio.interval)
            #expect(cells[7] == "12")
        }
        #expect(table.all("tr").count == 4)
    }

    @Test func faultsAreCountedPlannedFiredHealed() throws {
        let root = try markup(ExampleInput(seeds: 3).report)
        let section = try #require(root.all { $0.attributes["id"] == "faults" }.first)
        let rows = section.all("tbody").first?.all("tr").map { $0.all("td").map(\.words) }
        #expect(
            rows == [
                ["net.down", "eu-west", "6", "6", "6", ""],
                ["node.crash", "node 2", "6", "0", "0", "never fired"],
            ]
        )
        #expect(section.words.contains("12 faults were planned, 6 fired and 6 healed"))
    }

    @Test func manyTargetsOfAFaultHaveOneRow() throws {
        var input = ExampleInput(seeds: 1, variants: ["default"]).report
        input.campaign.runs[0].faults = (0..<200).map { node in
            FaultRecord(
                kind: node < 3 ? "net.down" : "node.crash",
                target: "node \(node)",
                planned: .zero,
                fired: node % 2 == 0 ? .zero : nil,
                healed: nil
            )
        }
        let section = try #require(
            try markup(input).all { $0.attributes["id"] == "faults" }.first
        )
        let rows = section.all("tbody")[0].all("tr").map { $0.all("td").map(\.words) }
        #expect(rows.count == 4)
        #expect(rows[3] == ["node.crash", "197 targets", "197", "98", "0", ""])
    }

    @Test func replicationDotsAreTheReplications() throws {
        let root = try markup(ExampleInput(seeds: 7).report)
        let drawings = root.all("svg").filter {
            $0.attributes["aria-label"]?.hasPrefix("Replications of") == true
        }
        #expect(drawings.count == 4)
        for drawing in drawings {
            // Seven seeds and one mean for each of two variants.
            #expect(drawing.all("circle").count == 16)
        }
    }

    @Test func distributionsTooLargeToKeepAreDrawnToo() throws {
        var input = ExampleInput(seeds: 2).report
        for index in input.campaign.runs.indices {
            var histogram = LogHistogram()
            for step in 1...5_000 { histogram.record(Double(step * (index + 1))) }
            input.campaign.runs[index].metrics.append(
                MetricValue("request-latency", distribution: histogram, bound: nil)
            )
        }
        let root = try markup(input)
        let captions = root.all("figcaption").map(\.words)
        #expect(captions.contains { $0.contains("20 000 observations") })
    }

    @Test func runsThatDidNotCompleteAreInNoFigure() throws {
        var input = ExampleInput(seeds: 4).report
        input.campaign.runs[0].outcome = .truncated(reason: "event limit")
        let root = try markup(input)
        #expect(root.words.contains("1 run did not complete and is not in any figure."))
        #expect(root.words.contains("cut short: event limit"))
        let counts = root.all(class: "metric").map { $0.all("tbody")[0].all("tr")[0].words.last }
        #expect(counts.allSatisfy { $0 == "3" })
    }

    @Test func aLargeCampaignStaysAFileToSend() throws {
        let page = try Report.render(ExampleInput(seeds: 100).report)
        #expect(page.utf8.count < 1_000_000, "\(page.utf8.count) bytes")
    }

    @Test func textFromOutsideStaysText() throws {
        let hostile = """
            "><script>alert(1)</script>'&amp;{{title}}\u{0}\u{202E}<\u{338}img src=x onerror=y> \
            "\u{301} onload="z" ]]> <!-- \\
            """
        let input = ExampleInput(hostile: hostile, variants: ["a'\n" + hostile, "b" + hostile])
        let root = try markup(input.report)
        let heading = try #require(root.all("h1").first).words
        #expect(heading.contains("<script>alert(1)</script>'&amp;{{title}}\u{FFFD}\u{FFFD}"))
        for element in root.all(where: { _ in true }) {
            #expect(element.name != "script" && !element.name.hasPrefix("img"))
            for name in element.attributes.keys { #expect(!name.hasPrefix("on")) }
        }
        #expect(root.words.contains("\u{338}img src=x onerror=y>"))
    }

    @Test func leavesOutWhatHasNoDataAndSaysSo() throws {
        let example = ExampleInput(
            seeds: 1,
            variants: ["default"],
            withSeries: false,
            withFaults: false
        )
        let root = try markup(example.report)
        #expect(root.all("figure").count == 2, "the distributions of two metrics with samples")
        #expect(root.words.contains("No run recorded a quantity over time"))
        #expect(root.words.contains("Replications are not drawn: there is only one."))
        #expect(root.words.contains("every observation is the same"))
        #expect(root.words.contains("No fault was planned."))
        #expect(root.words.contains("The scenario has one variant, so nothing is compared."))
        #expect(root.words.contains("no interval"))
    }

    @Test func anEmptyCampaignStillGivesAPage() throws {
        let root = try markup(ExampleInput(seeds: 0, withSeries: false).report)
        #expect(root.all("svg").isEmpty)
        #expect(root.words.contains("No completed run measured a metric."))
        #expect(root.all(class: "got").allSatisfy { $0.words == "no figure" })
    }

    @Test func unshapedRunsSaySo() throws {
        let root = try markup(ExampleInput(environment: .sockets).report)
        #expect(root.all(class: "chips").first?.words.contains("links unshaped") == true)
        #expect(root.words.contains("not judged"))
    }

    @Test func namesThePackageWhenGnuplotIsMissing() {
        let error = #expect(throws: ReportError.self) {
            try Report.render(
                ExampleInput(seeds: 2).report,
                session: GnuplotSession(program: "/nonexistent/gnuplot")
            )
        }
        guard case .charts(.programMissing(_, "gnuplot-nox", _)) = error else {
            Issue.record("not recognised as missing: \(String(describing: error))")
            return
        }
    }

    @Test func writesInOneStepAndKeepsTheOldFileOnFailure() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "report-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "deep/page.html").path
        let input = ExampleInput(seeds: 2, withSeries: false).report
        try Report.write(input, to: path)
        let written = try String(contentsOfFile: path, encoding: .utf8)
        #expect(written == (try Report.render(input)))
        let error = #expect(throws: ReportError.self) {
            try Report.write(input, to: path + "/below.html")
        }
        guard case .file = error else {
            Issue.record("not a file error: \(String(describing: error))")
            return
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == written)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path + "/deep").count == 1
        )
    }
}
