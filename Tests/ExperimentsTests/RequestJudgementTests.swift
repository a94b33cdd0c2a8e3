import Checkers
import Experiments
import Measurements
import Raft
import ReplicatedStore
import Scenarios
import Testing
import Units

/// Goal: what replicas and clients tell leads to the right judgement: a history that nobody could decide
/// leaves the run undecided, replicas that differ at one index are found although they have come equally
/// far, and replicas that lag, too.
/// Method: hand-made facts for an observer of one group; a planted difference in one replica's state.
@Suite struct RequestJudgementTests {
    private typealias Observer = RequestObserver<StandardRules>

    /// Nobody asks anything after the last fault, so progress is not among what is judged.
    private static func observer() throws -> Observer {
        var scenario = try RequestTests.scenario()
        scenario.invariants = [.linearizable, .raftSafety, .replicasConverge]
        let setting = ChaosSamples.setting(scenario, seed: 1)
        return RequestExperiment<StandardRules>(setting).makeObserver()
    }

    private static func time(_ milliseconds: Int64) -> Instant {
        Instant.zero + .milliseconds(milliseconds)
    }

    private static func record(_ observer: Observer) -> RunRecord {
        var record = RunRecord(
            key: RunKey(
                scenario: "requests",
                scenarioDigest: "",
                variant: "default",
                seed: 1,
                environment: .simulated
            ),
            commit: "abc"
        )
        let ending = ReplicationEnding(time: time(20_500), reason: nil, links: [])
        observer.measure(ending, into: &record)
        return record
    }

    private static func outcome(_ name: String, _ record: RunRecord) throws -> InvariantOutcome {
        try #require(record.invariants.first { $0.name == name })
    }

    /// Two clients write at once, then one reads.
    private static func tellRequests(_ observer: inout Observer, reading value: String) {
        let clients = NodeID(3)
        let writes: [(request: UInt64, value: String)] = [(1, "1"), (2, "2")]
        for write in writes {
            let command = StoreCommand.put(key: bytes("a"), value: bytes(write.value))
            let session = UInt32(write.request)
            observer.observe(
                .began(
                    request: write.request,
                    session: session,
                    group: 0,
                    due: time(3000),
                    command
                ),
                on: clients,
                at: time(3000)
            )
        }
        for write in writes {
            observer.observe(
                .ended(request: write.request, group: 0, .result(.done), attempts: 1),
                on: clients,
                at: time(3010)
            )
        }
        observer.observe(
            .began(request: 3, session: 1, group: 0, due: time(4000), .get(key: bytes("a"))),
            on: clients,
            at: time(4000)
        )
        observer.observe(
            .ended(request: 3, group: 0, .result(.value(bytes(value))), attempts: 1),
            on: clients,
            at: time(4010)
        )
    }

    private static func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

    @Test func aHistoryThatIsNotDecidedLeavesTheRunUndecided() throws {
        var observer = try Self.observer()
        Self.tellRequests(&observer, reading: "7")
        #expect(try Self.outcome("linearizable", Self.record(observer)).violationCount == 1)
        #expect(Self.record(observer).outcome == .completed)
        observer.historyLimits = LinearizabilityLimits(steps: 0)
        let record = Self.record(observer)
        #expect(try Self.outcome("linearizable", record).violationCount == 0)
        #expect(try Self.outcome("linearizable", record).checked == 0)
        let signature = try #require(FailureSignature(record))
        #expect(signature.kind == .undecided && !signature.isFailure)
        #expect(signature.shape.contains("not decided within the bound on steps"))
    }

    @Test func replicasThatDifferAtOneIndexAreFound() throws {
        var observer = try Self.observer()
        for (node, digest) in [(NodeID(0), UInt64(7)), (NodeID(1), 8), (NodeID(2), 7)] {
            let state = StoreEvent.closingState(index: 40, digest: digest)
            observer.observe(.replica(state), on: node, at: Self.time(20_500))
        }
        let record = Self.record(observer)
        let outcome = try Self.outcome("replicas-converge", record)
        #expect(outcome.kind == .safety && outcome.violationCount == 1)
        #expect(outcome.violations[0].message.contains("node 1 holds another state than others"))
        #expect(FailureSignature(record)?.kind == .safety)
    }

    @Test func aDifferenceBetweenSnapshotsIsFoundInARunThatWasCutShort() throws {
        var observer = try Self.observer()
        for (node, digest) in [(NodeID(0), UInt64(7)), (NodeID(1), 8)] {
            let state = StoreEvent.stateDigest(index: 10, digest: digest)
            observer.observe(.replica(state), on: node, at: Self.time(5_000))
        }
        let outcome = try Self.outcome("replicas-converge", Self.record(observer))
        #expect(outcome.kind == .safety)
        #expect(outcome.violations.map(\.time) == [Self.time(5_000)])
    }

    @Test func replicasThatLagAreFoundAndDeadOnesAreNot() throws {
        var observer = try Self.observer()
        let equal = StoreEvent.closingState(index: 40, digest: 7)
        for node in [NodeID(0), NodeID(1)] {
            observer.observe(.replica(equal), on: node, at: Self.time(20_500))
        }
        // The third is down at the end.
        let whole = try Self.outcome("replicas-converge", Self.record(observer))
        #expect(whole.checked == 1 && whole.violationCount == 0 && whole.kind == .liveness)
        let behind = StoreEvent.closingState(index: 39, digest: 6)
        observer.observe(.replica(behind), on: NodeID(2), at: Self.time(20_500))
        // What another applied a moment ago may still be on its way, and what it applied long ago not.
        let last = StoreEvent.raft(.applied(index: 40, term: 1, digest: 4))
        var newer = observer
        newer.observe(.replica(last), on: NodeID(0), at: Self.time(20_300))
        let following = try Self.outcome("replicas-converge", Self.record(newer))
        #expect(following.checked == 1 && following.violationCount == 0)
        observer.observe(.replica(last), on: NodeID(0), at: Self.time(15_000))
        let apart = try Self.outcome("replicas-converge", Self.record(observer))
        #expect(apart.violationCount == 1 && apart.kind == .liveness)
    }

    @Test func everyReplicaOfARealRunTellsItsState() throws {
        var setting = ChaosSamples.setting(try RequestTests.scenario(RequestTests.faults), seed: 3)
        let plain = Replication.simulated(setting, commit: "abc", isCancelled: { false })
        #expect(try Self.outcome("replicas-converge", plain).checked == 1)
        #expect(try Self.outcome("durable-records-survive", plain).checked > 0)
        #expect(plain.invariants.allSatisfy { $0.violationCount == 0 })
        // A traced run hears the same.
        setting.recorder = TraceRecorder(
            lanes: setting.lanes,
            from: .zero,
            until: .zero + .seconds(1)
        )
        let traced = Replication.simulated(setting, commit: "abc", isCancelled: { false })
        #expect(traced.invariants == plain.invariants)
        #expect(traced.fingerprint == plain.fingerprint)
    }
}
