import Foundation
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: the boot that is shown for all boots is the one the rules say, its critical path is the
/// chain that the run marked, and crash points are counted without mercy.
/// Method: made-up runs whose boot times, nodes and chains are known.
@Suite struct BootTests {
    @Test func theMedianReplicationIsShown() throws {
        let runs = [12.0, 11, 15, 13].enumerated().map { index, seconds in
            Boots.run("graph", seed: UInt64(index + 1), seconds: seconds)
        }
        let boots = RepresentativeBoot.all(of: Boots.campaign(runs))
        #expect(boots.count == 1)
        #expect(boots[0].timeline.seed == 1, "of 11, 12, 13, 15 the lower middle one is 12")
        #expect(boots[0].role == .only && boots[0].replications == 4)
        #expect(boots[0].choice == "seed 1, median of 4")
        #expect(boots[0].criticalSeconds == 9 && boots[0].speedupBound == 2.5)
        #expect(boots[0].speedup == 1 && boots[0].componentSeconds == 12)
    }

    @Test func figuresFollowFromTheSpans() throws {
        let timeline = try #require(
            BootTimeline(Boots.run("graph", seed: 1, seconds: 12), lane: "node 0")
        )
        #expect(timeline.start == Boots.at(1) && timeline.bootSeconds == 12)
        // 2 + 1 + 7 (three attempts) + 2; the late component ends after READY.
        #expect(timeline.componentSeconds == 12)
        #expect(timeline.speedup == 1)
        #expect(
            timeline.components.map(\.name) == ["configuration", "logger", "cache", "api", "late"]
        )
        #expect(timeline.components.map(\.group) == ["pre", "pre", "core", "core", "post"])
        let path = timeline.criticalPath
        #expect(path.map(\.name) == ["configuration", "cache", "api"])
        #expect(path.map(\.wait) == [.zero, .milliseconds(1_000), .zero])
        #expect(path.map(\.attempts) == [1, 3, 1])
        #expect(
            timeline.pathTexts == [
                "configuration 2 s", "cache 7 s (after waiting 1 s, 3 attempts, fallback)",
                "api 2 s",
            ]
        )
        #expect(BootTimeline(Boots.run("graph", seed: 1, seconds: 12), lane: "node 7") == nil)
    }

    @Test func theLastOfSeveralBootsIsTheOneInTheSpans() throws {
        var run = Boots.run("graph", seed: 1, seconds: 12)
        // An earlier boot, and one second between process start and first attempt.
        run.markers = [0.5, 13].map { time in
            Marker(
                time: Boots.at(time),
                node: "node 0",
                kind: Marker.bootReady,
                fields: [Field(Marker.secondsField, time == 13 ? 13 : 0.4)]
            )
        }
        run.metrics = [MetricValue("boot-speedup", samples: [1, 3], bound: nil)]
        let boot = try #require(RepresentativeBoot.all(of: Boots.campaign([run])).first)
        #expect(boot.role == .only && boot.nodes == 1)
        #expect(boot.timeline.start == .zero && boot.timeline.bootSeconds == 13)
        #expect(boot.timeline.criticalPath[0].wait == .milliseconds(1_000))
        #expect(boot.timeline.pathTexts[0] == "configuration 2 s (1 s after the process started)")
        #expect(boot.speedup == 12.0 / 13, "the mean of several boots is not this one's")
        run.markers[1] = Marker(
            time: Boots.at(13),
            node: "node 0",
            kind: Marker.bootReady,
            fields: [Field(Marker.secondsField, .infinity)]
        )
        #expect(BootTimeline(run, lane: "node 0")?.start == Boots.at(1))
    }

    @Test func ofManyNodesTheMedianAndTheSlowestAreShown() throws {
        var run = Boots.run("graph", seed: 5, seconds: 12)
        run.spans += Boots.spans(lane: "node 1", seconds: 12)
        run.spans += Boots.spans(lane: "node 2", seconds: 12)
        // A hundred nodes were ready, three kept their spans; the marker tells each boot time.
        run.markers = (0..<100).map { node in
            Marker(
                time: Boots.at(1_000),
                node: "node \(node)",
                kind: Marker.bootReady,
                fields: [Field(Marker.secondsField, node == 2 ? 500 : Double(node * 7 % 100))]
            )
        }
        let boots = RepresentativeBoot.all(of: Boots.campaign([run]))
        #expect(boots.map(\.role) == [.median, .slowest])
        // The median is 49 s; node 0 took 0 s, node 1 took 7 s, node 2 took 500 s.
        #expect(boots.map(\.timeline.lane) == ["node 1", "node 2"])
        #expect(boots.allSatisfy { $0.nodes == 100 && $0.speedupBound == nil })
        #expect(boots[1].choice == "seed 5; slowest of 100 nodes")
    }

    @Test func bootsThatFailAreShownOnlyWhenNoneCompleted() throws {
        var failed = Boots.run("graph", seed: 1, seconds: 12)
        failed.outcome = .failed(message: "database")
        failed.markers = []
        failed.metrics = []
        let alone = RepresentativeBoot.all(of: Boots.campaign([failed]))
        #expect(alone[0].choice == "seed 1, did not complete")
        #expect(alone[0].timeline.bootSeconds == nil && alone[0].timeline.speedup == nil)
        // Without READY everything counts, the late component too.
        #expect(alone[0].timeline.componentSeconds == 15)
        let both = Boots.campaign([failed, Boots.run("graph", seed: 2, seconds: 12)])
        #expect(RepresentativeBoot.all(of: both).map(\.timeline.seed) == [2])
        #expect(RepresentativeBoot.all(of: Boots.campaign([])).isEmpty)
    }

    @Test func crashPointsAreCounted() {
        func run(_ outcomes: [(String, Double?)]) -> RunRecord {
            var run = Boots.run("graph", seed: 1, seconds: 12)
            run.markers += outcomes.map { name, survived in
                Marker(
                    time: .zero,
                    kind: Marker.crashPoint,
                    text: name,
                    fields: survived.map { [Field(Marker.survivedField, $0)] } ?? []
                )
            }
            return run
        }
        let points = CrashPoints([
            run([("a", 1), ("b", 1), ("c", 0), ("d", nil), ("e", .nan)]),
            run([("b", 0), ("a", 1)]),
        ])
        #expect(points.points.map(\.name) == ["b", "c", "d", "e", "a"])
        #expect(points.points.map(\.tried) == [2, 1, 1, 1, 2])
        #expect(points.points.map(\.survived) == [1, 0, 0, 0, 2])
        #expect(points.survivedCount == 1)
    }

    @Test func theTerminalNamesTheCriticalPath() throws {
        var second = Boots.run("sequential", seed: 1, seconds: 24)
        second.markers += [("database.migrate before", 0.0), ("a", 1), ("b", 1)].map { point in
            Marker(
                time: .zero,
                kind: Marker.crashPoint,
                text: point.0,
                fields: [Field(Marker.survivedField, point.1)]
            )
        }
        let campaign = Boots.campaign([second, Boots.run("graph", seed: 1, seconds: 12)])
        let text = try #require(BootBlock(campaign).text)
        #expect(
            text == """
                █ BOOT
                 graph       12 s  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                  seed 1
                 sequential  24 s  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇  seed 1
                  critical path of graph: configuration 2 s
                    → cache 7 s (after waiting 1 s, 3 attempts, fallback) → api 2 s
                    = 12 s
                  critical path of sequential: configuration 2 s
                    → cache 7 s (after waiting 1 s, 3 attempts, fallback) → api 2 s
                    = 12 s of 24 s
                █ CRASH POINTS  2/3 survived
                 ✗ database.migrate before  0/1 survived
                  survived: a, b
                """
        )
        #expect(BootBlock(Boots.campaign([])).text == nil)
    }

    @Test func theDocumentCarriesBoots() throws {
        let campaign = Boots.campaign([Boots.run("graph", seed: 1, seconds: 12)])
        let document = VerdictDocument(
            Judge().judge(campaign),
            campaign: campaign,
            commit: "abc",
            store: nil,
            report: nil
        )
        let data = try JSONEncoder().encode(document)
        let object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any]
        )
        let boot = try #require((object["boots"] as? [[String: Any]])?.first)
        #expect(
            Set(boot.keys) == [
                "variant", "seed", "node", "role", "replications", "nodes", "bootSeconds",
                "componentSeconds", "speedup", "speedupBound", "criticalPath", "components",
            ]
        )
        #expect(boot["bootSeconds"] as? Double == 12)
        let path = try #require(boot["criticalPath"] as? [[String: Any]])
        #expect(path.map { $0["component"] as? String } == ["configuration", "cache", "api"])
        #expect(path[1]["startSeconds"] as? Double == 3)
        #expect((object["crashPoints"] as? [Any])?.isEmpty == true)
    }
}

enum Boots {
    static func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    static func campaign(_ runs: [RunRecord]) -> Campaign {
        Campaign(
            scenario: "boot",
            environment: .simulated,
            targets: [],
            variants: ["graph", "sequential"],
            invariants: [],
            replications: Budget.Replications(
                minimum: 1,
                maximum: 10,
                relativeHalfWidth: Ratio(0.05)
            ),
            runs: runs
        )
    }

    /// A boot that begins at second 1; READY after `seconds`, of which the chain uses the first 12.
    static func run(_ variant: String, seed: UInt64, seconds: Double) -> RunRecord {
        RunRecord(
            key: RunKey(
                scenario: "boot",
                scenarioDigest: "d",
                variant: variant,
                seed: seed,
                environment: .simulated
            ),
            commit: "abc",
            metrics: [
                MetricValue(
                    "boot-time",
                    seconds,
                    bound: PhysicalBound(.lower, 9, derivation: "longest chain")
                ),
                MetricValue(
                    "boot-speedup",
                    1,
                    bound: PhysicalBound(.upper, 2.5, derivation: "sum / longest chain")
                ),
            ],
            markers: [Marker(time: at(1 + seconds), node: "node 0", kind: Marker.bootReady)],
            spans: spans(lane: "node 0", seconds: seconds)
        )
    }

    static func spans(lane: String, seconds: Double) -> [Span] {
        func span(
            _ name: String,
            _ group: String,
            _ start: Double,
            _ end: Double,
            _ outcome: Span.Outcome = .ready,
            critical: Bool = false
        ) -> Span {
            Span(
                lane: lane,
                name: name,
                group: group,
                start: at(1 + start),
                end: at(1 + end),
                outcome: outcome,
                isCritical: critical
            )
        }
        return [
            span("configuration", "pre", 0, 2, critical: true),
            span("api", "core", 10, 12, critical: true),
            span("cache", "core", 3, 5, .failed, critical: true),
            span("cache", "core", 6, 7, .failed, critical: true),
            span("cache", "core", 8, 10, .fallback, critical: true),
            span("logger", "pre", 2, 3),
            span("late", "post", seconds - 1, seconds + 2),
        ]
    }
}
