import Foundation
import Judging
import Measurements
import Reporting
import Scenarios
import Testing
import Units

/// Goal: timelines, diagrams and the report of a chaos campaign say what is in their input, are well
/// formed, and let nothing of the code under test out of its quotation marks.
/// Method: a small made-up timeline, read back as text and by a strict XML parser.
@Suite struct ChaosReportTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    /// Node 0 asks node 1, which answers; a second message is lost; node 1 crashes meanwhile.
    private func timeline(_ text: String = "append term 3") -> Timeline {
        var timeline = Timeline(
            lanes: ["node 0", "node 1", "node 2"],
            from: at(0),
            until: at(100)
        )
        timeline.messages = [
            Timeline.Message(
                from: 0,
                to: 1,
                sent: at(10),
                received: at(15),
                text: text,
                isStream: false
            ),
            Timeline.Message(from: 1, to: 0, sent: at(20), text: "lost one", isStream: false),
            Timeline.Message(
                from: 2,
                to: 0,
                sent: at(1),
                received: at(30),
                text: "piece",
                isStream: true
            ),
        ]
        timeline.entries = [
            Timeline.Entry(time: at(5), lane: 0, kind: .fired, text: "election"),
            Timeline.Entry(time: at(10), lane: 0, kind: .sent, text: text, message: 0),
            Timeline.Entry(time: at(15), lane: 1, kind: .received, text: text, message: 0),
            Timeline.Entry(time: at(16), lane: 1, kind: .persisted, text: "write 4"),
            Timeline.Entry(time: at(20), lane: 1, kind: .sent, text: "lost one", message: 1),
            Timeline.Entry(time: at(30), lane: 0, kind: .received, text: "piece", message: 2),
        ]
        var record = RunRecord(
            key: RunKey(
                scenario: "s",
                scenarioDigest: "d",
                variant: "default",
                seed: 1,
                environment: .simulated
            ),
            commit: "abc"
        )
        record.faults = [
            FaultRecord(
                kind: "node.crash",
                target: "node 1",
                planned: at(18),
                fired: at(18),
                healed: at(40)
            ),
            FaultRecord(
                kind: "net.loss",
                target: "a->b",
                planned: at(12),
                fired: at(12),
                healed: nil
            ),
            FaultRecord(
                kind: "net.down",
                target: "a",
                planned: at(500),
                fired: at(500),
                healed: nil
            ),
        ]
        record.invariants = [
            InvariantOutcome(
                name: "order",
                checked: 1,
                violations: [Violation(time: at(30), message: "piece before append")]
            )
        ]
        record.markers = [
            Marker(time: at(17), node: "node 2", kind: "raft.elected", text: "term 3")
        ]
        timeline.add(record)
        return timeline
    }

    @Test func aTimelineIsReadInOrder() throws {
        let text = TimelineText(timeline(), columns: 120).text
        let lines = text.split(separator: "\n").map(String.init)
        let wanted = [
            "node 0", "⏰ election", "→1 append term 3", "▒▒ net.loss strikes: a->b",
            "←0 append term 3", "■ write 4", "◆ raft.elected term 3",
            "▒▒ node.crash strikes: node 1", "→0 ✗ lost one", "←2 piece",
            "██ VIOLATED order: piece before append", "▒▒ node.crash healed: node 1",
        ]
        #expect(lines.count == wanted.count)
        for (line, words) in zip(lines, wanted) {
            #expect(line.contains(words), "'\(line)' lacks '\(words)'")
        }
        // In node 1's column the crash is a band; the loss, of nobody's node, is left of all.
        #expect(lines[8].contains("▒ →0 ✗ lost one"))
        #expect(lines[5].contains("s▒ │"))
        #expect(lines[1].contains("0.005000 s"))
        #expect(text.contains("net.down") == false)
    }

    @Test func aTimelineHasItsLimits() {
        var many = timeline()
        many.lanes = (0..<40).map { "node \($0)" }
        let text = TimelineText(many, columns: 80, limit: 3).text
        #expect(text.contains("32 more nodes did less"))
        #expect(text.contains("more lines; narrow the window"))
        var none = Timeline(lanes: ["node 0"], from: at(0), until: at(1))
        #expect(TimelineText(none, columns: 10).text.contains("nothing happened"))
        none.isCut = true
        #expect(!TimelineText(none, columns: 10).text.isEmpty)
    }

    @Test func aDiagramHasItsParts() throws {
        let file = MessageDiagram(timeline()).file
        let markup = Markup(file)
        #expect(markup.problem == nil)
        let root = try #require(markup.root)
        #expect(root.name == "svg")
        #expect(root.all(class: "lane").map(\.text) == ["node 0", "node 1", "node 2"])
        #expect(root.all(class: "sent").count == 1)
        #expect(root.all(class: "lost").count == 1)
        #expect(root.all(class: "stream").count == 1)
        #expect(root.all(class: "fault").count == 2)
        #expect(root.all("line").filter { $0.attributes["class"] == "broken" }.count == 1)
        #expect(file.contains("prefers-color-scheme:dark"))
        // Arrows go down, never up.
        for line in root.all("line") where ["sent", "stream"].contains(line.attributes["class"]) {
            let (y1, y2) = (line.attributes["y1"], line.attributes["y2"])
            #expect(try #require(y1.flatMap { Int($0) }) < #require(y2.flatMap { Int($0) }))
        }
    }

    @Test func namesOfFaultsThatBeginTogetherStandApart() throws {
        var crowded = timeline()
        crowded.faults = Array(repeating: crowded.faults[0], count: 4)
        let root = try #require(Markup(MessageDiagram(crowded).file).root)
        let heights = root.all(class: "name").compactMap { $0.attributes["y"].flatMap { Int($0) } }
        #expect(heights.count == 4)
        for (upper, lower) in zip(heights.sorted(), heights.sorted().dropFirst()) {
            #expect(lower - upper >= 10)
        }
    }

    @Test func aDiagramOfManyEventsKeepsTheLast() throws {
        var long = Timeline(lanes: ["node 0"], from: at(0), until: at(5_000))
        long.entries = (0..<1_000).map {
            Timeline.Entry(time: at(Int64($0)), lane: 0, kind: .fired, text: "t\($0)")
        }
        let root = try #require(Markup(MessageDiagram(long).file).root)
        let notes = root.all(class: "note").map(\.text)
        #expect(notes.count == MessageDiagram.rowLimit)
        #expect(notes.last == "t999")
    }

    private func judgement(_ signature: FailureSignature?) throws -> ChaosJudgement {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: chaos-page
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [{between: [a, b], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo}
            invariants: [acknowledged-writes-survive]
            sometimes: [seen, unseen]

            """,
            file: "s.yaml"
        )
        let results = (0..<20).map { seed in
            SeedResult(
                variant: "default",
                seed: UInt64(seed),
                signature: seed == 7 ? signature : nil,
                fingerprint: String(repeating: "0", count: 32),
                events: 5,
                simulatedSeconds: 2,
                realSeconds: 0.1,
                faults: [SeedResult.FaultTally(kind: "net.down", planned: 3, fired: 2, healed: 1)],
                sightings: [SeedResult.Sighting(name: "seen", count: 1)],
                checks: [SeedResult.Sighting(name: "acknowledged-writes-survive", count: 4)],
                isRepeatable: nil,
                checkpoints: [],
                record: nil
            )
        }
        return ChaosJudgement(
            ChaosCampaign(
                scenario,
                variants: ["default"],
                requiresCoverage: false,
                results: results,
                wanted: 20,
                differences: []
            )
        )
    }

    private func page(_ signature: FailureSignature?, _ timeline: Timeline?) throws -> String {
        ChaosReport(
            subtitle: "two nodes",
            judgement: try judgement(signature),
            models: [ReportInput.Model(name: "TCP", assumption: "none")],
            provenance: ExampleInput().provenance,
            facts: [Fact("seeds", "0 to 19")],
            cases: signature.map { found in
                [
                    ChaosReport.Case(
                        signature: found,
                        minimal: ["seed 7 with 1 fault", "node.crash node 1 at 18 ms"],
                        timeline: timeline,
                        commands: ["novalab replay s.yaml --seed 7 --trace"]
                    )
                ]
            } ?? [],
            again: "novalab chaos s.yaml --seeds 20"
        ).page
    }

    @Test func aPageTellsFailuresAndCoverage() throws {
        let signature = FailureSignature(.safety, rule: "order", shape: "piece before append")
        let markup = Markup(try page(signature, timeline()))
        #expect(markup.problem == nil)
        let root = try #require(markup.root)
        let words = root.words
        for part in [
            "NO-GO", "order was violated in 1 of 20 seeds", "safety · order", "1 of 20 seeds: 7",
            "seed 7 with 1 fault", "novalab replay s.yaml --seed 7 --trace", "net.down",
            "unseen never happened", "novalab chaos s.yaml --seeds 20", "0 to 19",
        ] {
            #expect(words.contains(part), "the page lacks '\(part)'")
        }
        #expect(root.all("svg").count == 1)
        let cells = root.all("td").map(\.words)
        #expect(cells.prefix(4) == ["net.down", "60", "40", "20"])
    }

    @Test func aHistoryThatFailsIsDrawnBesideItsMessages() throws {
        let signature = FailureSignature(.safety, rule: "linearizable", shape: "get of '#'")
        var timeline = timeline()
        timeline.pictures = [
            Timeline.Picture(
                drawing: "<svg class=\"history\" viewBox=\"0 0 9 9\"><text>get(a)</text></svg>",
                caption: "Where the history fails <here>."
            )
        ]
        let root = try #require(Markup(try page(signature, timeline)).root)
        #expect(root.all("svg").count == 2)
        #expect(root.all(class: "history").count == 1)
        #expect(root.words.contains("get(a)"))
        #expect(root.words.contains("Where the history fails <here>."))
    }

    @Test func aPageWithoutFailuresSaysSo() throws {
        let words = try #require(Markup(try page(nil, nil)).root).words
        #expect(words.contains("No seed failed."))
        #expect(words.contains("rate of failing seeds < 15 %"))
    }

    @Test func nothingOfTheCodeUnderTestBecomesMarkup() throws {
        let hostile = "</text><script>alert(1)</script>&\u{0}\u{202E}\"'"
        let signature = FailureSignature(.safety, rule: hostile, shape: hostile)
        for text in [
            try page(signature, timeline(hostile)), MessageDiagram(timeline(hostile)).file,
        ] {
            #expect(!text.contains("<script"))
            #expect(Markup(text).problem == nil)
        }
    }
}
