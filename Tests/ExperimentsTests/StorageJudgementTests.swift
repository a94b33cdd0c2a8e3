import Experiments
import FaultInjection
import Measurements
import RecordLog
import Scenarios
import SimulatedEnvironment
import Testing
import Units

/// Goal: what faults do to disks is told and held against nobody; a loss that no fault of this disk can
/// have caused is a violation.
/// Method: made-up facts beside a plan with one fault, and a run whose disks lie.
@Suite struct StorageJudgementTests {
    private static func time(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }

    private static func judgement(
        _ facts: [StorageFact],
        recoveries: UInt64 = 3,
        fault: String = "{kind: disk.bit-rot, at: 5 s, chance: 1 %, select: {role: replica}}"
    ) throws -> StorageJudgement {
        let plan = FaultPlan(try RequestTests.scenario(fault, dataLoss: "any"), seed: 1)
        var log = FaultLog(plan)
        log.fire(0, at: time(5))
        return StorageJudgement(
            facts: facts,
            recoveries: recoveries,
            plan: plan,
            records: log.records(in: try RequestTests.scenario().topology)
        )
    }

    private static func victim(_ fault: String) throws -> NodeID {
        let scenario = try RequestTests.scenario(fault, dataLoss: "any")
        return FaultPlan(scenario, seed: 1).faults[0].effect.nodes[0]
    }

    private static let rot = "{kind: disk.bit-rot, at: 5 s, chance: 1 %, select: {role: replica}}"

    @Test func aLossNeedsAFaultOfThisDiskBeforeIt() throws {
        let struck = try Self.victim(Self.rot)
        let other = NodeID(struck.rawValue == 0 ? 1 : 0)
        let forgot = StorageFact.Kind.forgot(batches: 2)
        let explained = try Self.judgement([
            StorageFact(node: struck, time: Self.time(6), kind: forgot)
        ])
        #expect(explained.outcome?.violationCount == 0 && explained.outcome?.checked == 3)
        for (node, seconds) in [(struck, Int64(4)), (other, 6)] {
            let facts = [StorageFact(node: node, time: Self.time(seconds), kind: forgot)]
            let outcome = try #require(try Self.judgement(facts).outcome)
            #expect(outcome.violationCount == 1 && outcome.kind == .safety)
            #expect(
                outcome.violations[0].message.hasPrefix(
                    "\(node) started without 2 acknowledged batches"
                )
            )
        }
        // A fault that loses nothing explains nothing.
        let torn = "{kind: disk.torn-write, at: 5 s, select: {role: replica}}"
        let fact = StorageFact(node: try Self.victim(torn), time: Self.time(6), kind: forgot)
        #expect(try Self.judgement([fact], fault: torn).outcome?.violationCount == 1)
    }

    @Test func whatFaultsDoIsCountedAndHeldAgainstNobody() throws {
        let facts = [
            StorageFact(node: NodeID(0), time: Self.time(1), kind: .lied),
            StorageFact(node: NodeID(1), time: Self.time(2), kind: .rotted(bits: 7)),
            StorageFact(node: NodeID(2), time: Self.time(3), kind: .rotted(bits: 2)),
            StorageFact(node: NodeID(2), time: Self.time(4), kind: .full),
        ]
        let judgement = try Self.judgement(facts)
        #expect(judgement.outcome?.violationCount == 0)
        #expect(judgement.tallies.contains(Fact("disks: bits flipped", "9, on node 1, node 2")))
        #expect(judgement.tallies.count == 3)
        #expect(
            judgement.markers.map(\.kind) == [
                "disk.bits-flipped", "disk.bits-flipped", "disk.batches-did-not-fit",
            ]
        )
        #expect(try Self.judgement([], recoveries: 0).outcome == nil)
    }

    /// A lying disk makes nodes forget; the run says so, and its raft-safety is not broken by the start
    /// itself.
    @Test func aRunTellsOfItsDisks() throws {
        let scenario = try RequestTests.scenario(
            """
            {kind: disk.lost-fsync, at: 1 s, chance: 30 %, select: {role: replica}},
            {kind: node.reboot, every: 2 s, for: 500 ms, select: {role: replica}}
            """,
            dataLoss: "any"
        )
        var forgot = false
        for seed in UInt64(1)...20 where !forgot {
            let record = Replication.simulated(
                ChaosSamples.setting(scenario, seed: seed),
                commit: "abc",
                isCancelled: { false }
            )
            forgot = record.fact("disks: batches forgotten") != nil
            #expect(record.invariants.contains { $0.name == "durable-records-survive" })
            for invariant in record.invariants where invariant.name == "durable-records-survive" {
                #expect(invariant.violationCount == 0, "\(invariant)")
            }
            let lost = record.invariants.flatMap(\.violations).filter {
                $0.message.contains("durable up to")
            }
            #expect(lost.isEmpty, "\(lost)")
        }
        #expect(forgot)
    }
}
