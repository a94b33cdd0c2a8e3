import Foundation
import Measurements
import ResultsStore
import Testing
import Units

/// Goal: what a run left behind comes back exactly, once, and never in part.
/// Method: full records are written, read back through a fresh opening and compared; duplicates,
/// contradictions and interrupted runs are refused and leave nothing.
@Suite struct RecordingTests {
    @Test func recordsComeBackExactly() throws {
        let folder = try Folder()
        let path = folder.file("deep/er/results.sqlite")
        let written = [
            Archives.record("baseline", seed: 42), Archives.record("dwcp", seed: 41, time: 1.9),
            Archives.record("dwcp", seed: .max, time: 2.1), Archives.boot("graph", seed: 3),
        ]
        do {
            let store = try ResultsArchive(path: path)
            for run in written { try store.record(run, in: Archives.plan) }
        }
        let store = try ResultsArchive(path: path)
        let identity = Archives.plan.identity
        #expect(try store.records(ofPlan: identity) == written)
        #expect(try store.loadPlan(identity) == Archives.plan)
        let completed = try store.completedRuns(of: Archives.plan)
        #expect(completed.map(\.seed) == [42, 41, .max, 3])
        #expect(completed.map(\.variant) == ["baseline", "dwcp", "dwcp", "graph"])
        #expect(FileManager.default.fileExists(atPath: path + "-wal"))
    }

    @Test(arguments: [
        RunOutcome.truncated(reason: "time limit"), .failed(message: "trap"),
        .safetyViolation(message: "two leaders"), .livenessViolation(message: "no leader"),
    ])
    func outcomesComeBack(outcome: RunOutcome) throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        var run = Archives.record("dwcp", seed: 1)
        run.outcome = outcome
        try store.record(run, in: Archives.plan)
        #expect(try store.records(ofPlan: Archives.plan.identity).map(\.outcome) == [outcome])
    }

    @Test func impossibleFiguresComeBackToBeJudged() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        var run = Archives.record("dwcp", seed: 1)
        run.metrics = [
            MetricValue("goodput", .infinity, bound: nil),
            MetricValue(
                "utilisation",
                .nan,
                bound: PhysicalBound(.upper, .infinity, derivation: "none")
            ),
        ]
        try store.record(run, in: Archives.plan)
        let back = try store.records(ofPlan: Archives.plan.identity)[0].metrics
        #expect(back[0].value == .infinity && back[1].value.isNaN)
        #expect(back[1].bound?.limit == .infinity)
    }

    @Test func aSeedIsRecordedOnce() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        try store.record(Archives.record("dwcp", seed: 1, time: 2), in: Archives.plan)
        #expect(throws: StoreError.duplicate(variant: "dwcp", seed: 1)) {
            try store.record(Archives.record("dwcp", seed: 1, time: 3), in: Archives.plan)
        }
        let identity = Archives.plan.identity
        #expect(try store.records(ofPlan: identity)[0].value(of: "migration-time")?.value == 2)
        try store.record(
            Archives.record("dwcp", seed: 1, time: 3),
            in: Archives.plan,
            replacing: true
        )
        #expect(try store.records(ofPlan: identity)[0].value(of: "migration-time")?.value == 3)
        // The rows of the replaced run are gone from every table.
        let left = try store.query("SELECT count(*) FROM event").rows
        #expect(left == [["1"]])
    }

    @Test func spansAreBoundedAndGoWithTheirRun() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        var run = Archives.boot("graph", seed: 1)
        run.spans = (0..<RunRecord.spanLimit + 7).map { index in
            Span(
                lane: "node 0",
                name: "part",
                start: Instant(nanoseconds: Int64(index)),
                end: Instant(nanoseconds: Int64(index) + 1)
            )
        }
        try store.record(run, in: Archives.plan)
        let back = try store.records(ofPlan: Archives.plan.identity)[0]
        #expect(back.spans == Array(run.spans.prefix(RunRecord.spanLimit)))
        run.spans = []
        try store.record(run, in: Archives.plan, replacing: true)
        #expect(try store.query("SELECT count(*) FROM span").rows == [["0"]])
    }

    @Test func contradictionsLeaveNothingBehind() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        var twice = Archives.record("dwcp", seed: 1)
        twice.metrics.append(twice.metrics[0])
        var negative = Archives.record("dwcp", seed: 2)
        negative.realSeconds = -1
        var nameless = Archives.record("dwcp", seed: 3)
        nameless.facts.append(Fact("", "x"))
        var interrupted = Archives.record("dwcp", seed: 4)
        interrupted.outcome = .interrupted
        var foreign = Archives.record("dwcp", seed: 5)
        foreign.commit = "other"
        for run in [twice, negative, nameless, interrupted, foreign] {
            let error = #expect(throws: StoreError.self) {
                try store.record(run, in: Archives.plan)
            }
            guard case .rejected = error else {
                Issue.record("seed \(run.key.seed): \(String(describing: error))")
                continue
            }
        }
        for table in ["run", "metric_value", "series", "fact", "event"] {
            #expect(try store.query("SELECT count(*) FROM \(table)").rows == [["0"]])
        }
    }

    @Test func identityFollowsWhatDecidesResults() {
        let plan = Archives.plan
        func changed(
            digest: String = "5c3f",
            source: String = "x",
            commit: String = "3da8a9f",
            environment: EnvironmentKind = .simulated,
            hardware: String = "77aa",
            data: [ArchivedPlan.DataSet] = plan.dataSets
        ) -> String {
            ArchivedPlan(
                scenario: "wan-migration",
                scenarioDigest: digest,
                scenarioSource: source,
                commit: commit,
                environment: environment,
                hardwareProfile: "lab-vm",
                hardwareDigest: hardware,
                dataSets: data
            ).identity
        }
        #expect(changed() == plan.identity)
        let others = [
            changed(digest: "5c40"), changed(commit: "3da8a9f-dirty"),
            changed(environment: .sockets), changed(hardware: "77ab"), changed(data: []),
            changed(data: [ArchivedPlan.DataSet(name: "sqlite-workload", digest: "9f2d")]),
        ]
        #expect(Set(others + [plan.identity]).count == others.count + 1)
    }

    @Test func listingsFilterAndNameArtifacts() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        for seed in 1...3 as ClosedRange<UInt64> {
            try store.record(Archives.record("dwcp", seed: seed), in: Archives.plan)
        }
        try store.record(Archives.record("baseline", seed: 1), in: Archives.plan)
        try store.recordArtifact(kind: "report", path: "reports/a.html", of: Archives.plan)
        try store.recordArtifact(kind: "report", path: "reports/a.html", of: Archives.plan)
        #expect(try store.runs(RunFilter()).count == 4)
        #expect(try store.runs(RunFilter(limit: 2)).map(\.variant) == ["baseline", "dwcp"])
        let filter = RunFilter(scenario: "wan-migration", variant: "dwcp", commit: "3da8a9f")
        #expect(try store.runs(filter).map(\.seed) == [3, 2, 1])
        #expect(try store.runs(RunFilter(variant: "it's")).isEmpty)
        let identity = Archives.plan.identity
        #expect(try store.plans(ofScenario: "wan-migration") == [identity])
        #expect(try store.artifacts(ofPlan: identity).map(\.path) == ["reports/a.html"])
        #expect(throws: StoreError.unknownPlan(identity: "none")) { try store.loadPlan("none") }
    }
}
