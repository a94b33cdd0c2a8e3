import Determinism
import Judging
import Measurements
import Reporting
import Scenarios
import Units

/// Boots for tests: made-up component times on a made-up graph, put in order by a small scheduler.
/// Nothing of it is a measurement.
struct BootExample {
    var seeds: UInt64 = 5
    var variants = ["sequential", "level-parallel", "dependency-ready"]
    var nodes = 1
    var parts = BootExample.plan
    var withTrouble = true
    var crashPoints: [(name: String, survived: Double)] = []

    struct Part {
        var name: String
        var phase: String
        var seconds: Double
        var needs: [String]
    }

    static let plan = [
        Part(name: "configuration", phase: "pre", seconds: 1.8, needs: []),
        Part(name: "logger", phase: "pre", seconds: 0.2, needs: ["configuration"]),
        Part(name: "resources", phase: "pre", seconds: 0.2, needs: ["configuration", "logger"]),
        Part(name: "security", phase: "core", seconds: 1.2, needs: ["resources"]),
        Part(name: "database", phase: "core", seconds: 3.2, needs: ["security"]),
        Part(name: "cache", phase: "core", seconds: 2.1, needs: ["security"]),
        Part(name: "network", phase: "core", seconds: 1.8, needs: ["security"]),
        Part(name: "dwcp", phase: "core", seconds: 2.8, needs: ["security", "network"]),
        Part(
            name: "orchestration",
            phase: "service",
            seconds: 2.1,
            needs: ["dwcp", "database"]
        ),
        Part(name: "api", phase: "service", seconds: 2.5, needs: ["dwcp", "security"]),
        Part(name: "monitoring", phase: "service", seconds: 1.6, needs: ["network"]),
        Part(name: "post", phase: "post", seconds: 1.8, needs: ["orchestration", "api"]),
    ]

    /// A layered graph of many parts.
    static func large(_ count: Int) -> [Part] {
        var random = SeededRandom(stateFrom: 9)
        return (0..<count).map { index in
            Part(
                name: "subsystem-\(index).component",
                phase: ["pre", "core", "service", "post"][min(3, index * 4 / count)],
                seconds: 0.05 + random.unit(),
                needs: index < 4
                    ? [] : ["subsystem-\(Int(random.below(UInt64(index)))).component"]
            )
        }
    }

    var report: ReportInput {
        let campaign = Campaign(
            scenario: "example-boot",
            environment: .simulated,
            targets: [],
            variants: variants,
            invariants: [],
            replications: Budget.Replications(
                minimum: 1,
                maximum: 100,
                relativeHalfWidth: Ratio(0.05)
            ),
            runs: runs,
            determinism: DeterminismCheck(compared: 2, equal: 2)
        )
        var input = ExampleInput(seeds: 1).report
        input.subtitle = "test data, nothing here was measured · one node"
        input.campaign = campaign
        input.judgement = Judge().judge(campaign)
        input.catalogue = MetricCatalogue(
            MetricCatalogue.standard.definitions.filter { $0.name != "boot-time" } + [bootTime]
        )
        return input
    }

    private var bootTime: MetricDefinition {
        MetricDefinition(
            name: "boot-time",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: "process start to READY",
            boundDescription: "at least the critical path",
            boundSide: .lower,
            isNetworkDependent: false
        )
    }

    var runs: [RunRecord] {
        variants.flatMap { variant in (0..<seeds).map { run(variant, seed: 42 + $0) } }
    }

    func run(_ variant: String, seed: UInt64) -> RunRecord {
        var record = RunRecord(
            key: RunKey(
                scenario: "example-boot",
                scenarioDigest: "00112233445566778899aabbccddeeff",
                variant: variant,
                seed: seed,
                environment: .simulated
            ),
            commit: "0123456789abcdef0123456789abcdef01234567",
            events: 2_000
        )
        var longest = 0.0
        var times: [Double] = []
        for node in 0..<nodes {
            let boot = Boot(self, variant, seed: seed, node: node)
            record.spans += boot.spans
            record.markers.append(
                Marker(
                    time: BootExample.at(boot.end),
                    node: "node \(node)",
                    kind: Marker.bootReady
                )
            )
            longest = max(longest, boot.end)
            times.append(boot.end)
        }
        record.markers += crashPoints.map { point in
            Marker(
                time: .zero,
                kind: Marker.crashPoint,
                text: point.name,
                fields: [Field(Marker.survivedField, point.survived)]
            )
        }
        let bound = PhysicalBound(.lower, 9, derivation: "longest chain")
        record.metrics = [
            nodes == 1
                ? MetricValue("boot-time", longest, bound: bound)
                : MetricValue("boot-time", samples: times, bound: bound),
            MetricValue(
                "boot-speedup",
                1.5,
                bound: PhysicalBound(.upper, 2.4, derivation: "sum / longest chain")
            ),
        ]
        return record
    }

    static func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    /// One node's boot.
    private struct Boot {
        var spans: [Span] = []
        var end = 0.0

        init(_ example: BootExample, _ variant: String, seed: UInt64, node: Int) {
            var random = SeededRandom(stateFrom: seed &* 1_000 &+ UInt64(node))
            var ends: [String: Double] = [:]
            var waitsFor: [String: String] = [:]
            var drafts: [(part: Part, start: Double, end: Double, ready: Double)] = []
            var clock = 0.0
            var barrier = (phase: "", start: 0.0, before: "")
            for part in example.parts {
                let last = part.needs.max { ends[$0] ?? 0 < ends[$1] ?? 0 }
                let ready = last.map { ends[$0] ?? 0 } ?? 0
                var start = ready
                waitsFor[part.name] = last
                if variant == "sequential" {
                    start = clock
                    waitsFor[part.name] = drafts.last?.part.name
                } else if variant == "level-parallel" {
                    if part.phase != barrier.phase {
                        barrier = (
                            part.phase, clock,
                            drafts.max { $0.end < $1.end }?.part.name ?? ""
                        )
                    }
                    if barrier.start > start {
                        start = barrier.start
                        waitsFor[part.name] = barrier.before
                    }
                }
                let time = part.seconds * (0.9 + 0.2 * random.unit())
                let finish = start + time
                ends[part.name] = finish
                clock = max(clock, finish)
                drafts.append((part, start, finish, ready))
            }
            end = clock
            var critical: Set<String> = []
            var link = drafts.max { $0.end < $1.end }?.part.name
            while let name = link, !name.isEmpty, critical.insert(name).inserted {
                link = waitsFor[name]
            }
            for draft in drafts {
                spans += Boot.attempts(draft, example, node, critical.contains(draft.part.name))
            }
        }

        private static func attempts(
            _ draft: (part: Part, start: Double, end: Double, ready: Double),
            _ example: BootExample,
            _ node: Int,
            _ isCritical: Bool
        ) -> [Span] {
            func span(_ start: Double, _ end: Double, _ outcome: Span.Outcome, _ number: Double)
                -> Span
            {
                Span(
                    lane: "node \(node)",
                    name: draft.part.name,
                    group: draft.part.phase,
                    start: at(start),
                    end: at(end),
                    outcome: outcome,
                    isCritical: isCritical,
                    fields: [
                        Field(Span.attemptField, number),
                        Field(Span.queuedField, number == 1 ? draft.start - draft.ready : 0),
                        Field(Span.processorField, (end - start) * 0.3),
                    ]
                )
            }
            guard example.withTrouble, draft.part.name == "cache" else {
                return [span(draft.start, draft.end, .ready, 1)]
            }
            let third = (draft.end - draft.start) / 3
            return [
                span(draft.start, draft.start + third, .failed, 1),
                span(draft.start + 1.4 * third, draft.start + 2 * third, .failed, 2),
                span(draft.start + 2.4 * third, draft.end, .fallback, 3),
            ]
        }
    }
}
