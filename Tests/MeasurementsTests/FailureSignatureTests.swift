import Measurements
import Testing
import Units

/// Goal: failures of one bug get one signature whatever seed shows them, and those of different bugs get
/// different ones.
/// Method: pairs of messages; records with several violations; results that are kept.
@Suite struct FailureSignatureTests {
    @Test(arguments: [
        ("key 17 read 4 after 5 was acknowledged", "key # read # after # was acknowledged"),
        ("node 3 at 1.25 s: term 0x9A3F", "node # at #: term #"),
        ("took 80 ms, then 1.2 s.", "took #, then #."),
        ("node 1, node 2, node 12 disagree", "node #, node # disagree"),
        ("fingerprint 00ff12ab34cd56ef is another", "fingerprint # is another"),
        ("n3 lost x7y", "n# lost x#y"),
        ("the value 'abc 12' is gone", "the value '#' is gone"),
        ("a\nline\tbreak", "a line break"),
        ("", ""), ("-5 is below 0", "-# is below #"), ("12 seeds", "# seeds"),
    ])
    func numbersAreNoPartOfAShape(message: String, shape: String) {
        #expect(FailureSignature.shape(of: message) == shape)
        #expect(FailureSignature.shape(of: shape) == shape)
    }

    @Test func shapesAreShort() {
        let long = String(repeating: "word ", count: 100)
        let shape = FailureSignature.shape(of: long)
        #expect(shape.count == FailureSignature.shapeLimit)
        #expect(FailureSignature.shape(of: shape) == shape)
    }

    private func record(
        _ outcome: RunOutcome = .completed,
        _ invariants: [InvariantOutcome] = []
    ) -> RunRecord {
        RunRecord(
            key: RunKey(
                scenario: "s",
                scenarioDigest: "d",
                variant: "default",
                seed: 7,
                environment: .simulated
            ),
            commit: "abc",
            fingerprint: String(repeating: "0", count: 32),
            checkpoints: [Checkpoint(time: .zero, fingerprint: String(repeating: "0", count: 32))],
            outcome: outcome,
            faults: [
                FaultRecord(
                    kind: "net.down",
                    target: "a",
                    planned: .zero,
                    fired: .zero,
                    healed: nil
                ),
                FaultRecord(kind: "net.down", target: "b", planned: .zero, fired: nil, healed: nil),
            ],
            invariants: invariants,
            markers: [
                Marker(time: .zero, kind: "raft.elected"),
                Marker(time: .zero, kind: "raft.elected"),
                Marker(time: .zero, kind: Marker.sometimes, text: "snapshot-during-transfer"),
            ]
        )
    }

    private func broken(
        _ name: String,
        _ kind: InvariantOutcome.Kind = .safety,
        at seconds: Int64
    ) -> InvariantOutcome {
        InvariantOutcome(
            name: name,
            kind: kind,
            checked: 3,
            violations: [Violation(time: .zero + .seconds(seconds), message: "entry \(seconds)")]
        )
    }

    @Test func theFirstViolationNamesTheFailure() {
        #expect(FailureSignature(record()) == nil)
        let both = record(.completed, [broken("late", at: 9), broken("early", at: 2)])
        #expect(
            FailureSignature(both) == FailureSignature(.safety, rule: "early", shape: "entry 5")
        )
        let tie = record(.completed, [broken("b", .liveness, at: 2), broken("c", at: 2)])
        #expect(FailureSignature(tie)?.rule == "c")
        #expect(FailureSignature(tie)?.kind == .safety)
        // What broke before the run was cut short counts more than that it was cut short.
        let cut = record(.truncated(reason: "not finished after 60 s"), [broken("early", at: 2)])
        #expect(FailureSignature(cut)?.rule == "early")
    }

    @Test func outcomesHaveKinds() {
        let cases: [(RunOutcome, FailureSignature.Kind?)] = [
            (.completed, nil), (.interrupted, nil), (.truncated(reason: "r"), .undecided),
            (.failed(message: "m"), .crash), (.safetyViolation(message: "m"), .safety),
            (.livenessViolation(message: "m"), .liveness),
        ]
        for (outcome, kind) in cases {
            let signature = FailureSignature(record(outcome))
            #expect(signature?.kind == kind)
            #expect(
                SeedResult(record(outcome), keepsCheckpoints: false).isFailing
                    == (kind != nil && kind != .undecided)
            )
        }
    }

    @Test func aSeedThatPassedIsALine() {
        let passed = SeedResult(record(), keepsCheckpoints: false)
        #expect(passed.record == nil && passed.checkpoints.isEmpty)
        #expect(
            passed.faults
                == [SeedResult.FaultTally(kind: "net.down", planned: 2, fired: 1, healed: 0)]
        )
        #expect(
            passed.sightings == [
                SeedResult.Sighting(name: "raft.elected", count: 2),
                SeedResult.Sighting(name: "snapshot-during-transfer", count: 1),
            ]
        )
        #expect(SeedResult(record(), keepsCheckpoints: true).checkpoints.count == 1)
        let failed = SeedResult(record(.completed, [broken("x", at: 4)]), keepsCheckpoints: false)
        #expect(failed.record?.faults.count == 2)
        #expect(failed.checkpoints.count == 1)
        #expect(failed.failedAt == .zero + .seconds(4))
        #expect(failed.checks == [SeedResult.Sighting(name: "x", count: 3)])
    }
}
