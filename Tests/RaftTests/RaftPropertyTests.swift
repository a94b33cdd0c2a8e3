import Raft
import RaftDefects
import Testing
import Units

// Goal: Raft keeps its promises in a hostile world, and the world is hostile enough to notice when it does
// not. Method: seeded clusters of real replicas whose messages, writes and lives are at the mercy of one
// random stream; see `RaftCluster` for what is watched.
@Suite struct RaftPropertyTests {
    @Test func promisesHold() {
        var counts: [String: Int] = [:]
        var reads = 0
        for seed in 1...300 as ClosedRange<UInt64> {
            var cluster = RaftCluster(RaftCluster.Plan(seed: seed), rules: StandardRules())
            cluster.run()
            #expect(cluster.violations.isEmpty, "seed \(seed): \(cluster.violations)")
            counts.merge(cluster.counts) { $0 + $1 }
            reads += cluster.readsServed
        }
        // What the runs should have met, or they prove little.
        for name in ["crash", "install", "truncate", "joint", "transfer", "quorumLost", "removed"] {
            #expect(counts[name, default: 0] > 5, "\(name): \(counts)")
        }
        #expect(reads > 1_000, "\(reads) reads")
    }

    // Goal: leases give reads without a round and stay correct while clocks agree. Method: the same world
    // with leases on.
    @Test func leasesHold() {
        var leases = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            var plan = RaftCluster<StandardRules>.Plan(seed: seed)
            plan.configuration.leaseReads = true
            var cluster = RaftCluster(plan, rules: StandardRules())
            cluster.run()
            #expect(cluster.violations.isEmpty, "seed \(seed): \(cluster.violations)")
            leases += cluster.counts["lease", default: 0]
        }
        #expect(leases > 100, "\(leases) reads by lease")
    }

    // Goal: witnesses and commits in two zones change nothing of the promises. Method: the same world; one of
    // five founders is a witness, another one may come in, and both zones hold two of the others.
    @Test func promisesHoldWithWitnessesInTwoZones() {
        var counts: [String: Int] = [:]
        for seed in 1...150 as ClosedRange<UInt64> {
            var plan = RaftCluster<StandardRules>.Plan(seed: seed)
            plan.nodes = 6
            plan.founders = 5
            plan.witnesses = [4, 5]
            plan.configuration.zones = [
                NodeID(0): 0, NodeID(1): 0, NodeID(2): 1, NodeID(3): 1, NodeID(4): 0, NodeID(5): 1,
            ]
            var cluster = RaftCluster(plan, rules: StandardRules())
            cluster.run()
            #expect(cluster.violations.isEmpty, "seed \(seed): \(cluster.violations)")
            counts.merge(cluster.counts) { $0 + $1 }
        }
        for name in ["crash", "install", "truncate", "joint", "transfer", "witness"] {
            #expect(counts[name, default: 0] > 5, "\(name): \(counts)")
        }
    }

    /// Defects that this small world finds; the others need the whole laboratory.
    static let found: [RaftDefect] = [
        .commitsUnverified, .countsRepeatedVotes, .snapshotDropsSuffix, .noElectionGuards,
    ]

    @Test(arguments: found)
    func defectIsNoticed(_ defect: RaftDefect) {
        for seed in 1...1_000 as ClosedRange<UInt64> {
            var cluster = RaftCluster(RaftCluster.Plan(seed: seed), rules: DefectiveRules(defect))
            cluster.run()
            if !cluster.violations.isEmpty { return }
        }
        Issue.record("\(defect) was not noticed")
    }
}
