package import FaultInjection
import HardwareModel
package import Measurements
import Scenarios
package import SimulatedEnvironment
import Units

/// What a record tells about its nodes' disks, and whether each loss has a fault for its cause.
///
/// What faults do is shown and counted, and never held against anybody by itself: the promises of the
/// workload say what may follow from it. A restart that does not find what its disk had acknowledged,
/// or cannot read it, while no fault that spoils durable data had struck this disk, is a violation: then
/// the log lost it.
package struct StorageJudgement {
    let facts: [StorageFact]
    /// Restarts that read their disk.
    let recoveries: UInt64
    let plan: FaultPlan
    /// The records of the plan's faults, in its order.
    let records: [FaultRecord]

    package init(
        facts: [StorageFact],
        recoveries: UInt64,
        plan: FaultPlan,
        records: [FaultRecord]
    ) {
        self.facts = facts
        self.recoveries = recoveries
        self.plan = plan
        self.records = records
    }

    /// More facts than this are counted and have no marker.
    private static let markerLimit = 500

    /// `nil` when no node read its disk, so that nothing was checked.
    package var outcome: InvariantOutcome? {
        guard recoveries > 0 else { return nil }
        let losses = facts.filter { $0.kind.isLoss && !isExplained($0) }
        return InvariantOutcome(
            name: Scenario.Invariant.durableRecordsSurvive.rawValue,
            checked: recoveries,
            violations: losses.map {
                Violation(
                    time: $0.time,
                    message: "\($0.node) \($0.kind.sentence), and no fault of its disk explains it"
                )
            }
        )
    }

    /// How often what happened, by kind, with the nodes that it befell.
    package var tallies: [Fact] {
        var counts: [String: (count: Int, nodes: Set<NodeID>)] = [:]
        for fact in facts {
            counts[fact.kind.word, default: (0, [])].count += fact.kind.amount
            counts[fact.kind.word]?.nodes.insert(fact.node)
        }
        return counts.sorted { $0.key < $1.key }.map { word, tally in
            let nodes = tally.nodes.sorted().map(\.description).joined(separator: ", ")
            return Fact("disks: \(word)", "\(tally.count), on \(nodes)")
        }
    }

    /// What happened to disks, as it happened. A disk lies with every batch, so that is only counted.
    package var markers: [Marker] {
        facts.filter { $0.kind != .lied }.prefix(StorageJudgement.markerLimit).map { fact in
            Marker(
                time: fact.time,
                node: fact.node.description,
                kind: "disk.\(fact.kind.word.replacing(" ", with: "-"))",
                fields: [Field("count", Double(fact.kind.amount))]
            )
        }
    }

    private func isExplained(_ fact: StorageFact) -> Bool {
        zip(plan.faults, records).contains { fault, record in
            guard let fired = record.fired, fired <= fact.time,
                case .disk(let nodes, let kind) = fault.effect
            else { return false }
            return kind.losesData && nodes.contains(fact.node)
        }
    }
}

extension StorageFact.Kind {
    /// Whether what had been acknowledged is not there any more, or cannot be read.
    fileprivate var isLoss: Bool {
        switch self {
        case .refused, .undecodable, .forgot: true
        case .failed, .full, .rotted, .misdirected, .lied, .repaired: false
        }
    }

    fileprivate var word: String {
        switch self {
        case .failed: "batches failed"
        case .full: "batches did not fit"
        case .rotted: "bits flipped"
        case .misdirected: "sectors misdirected"
        case .lied: "batches only in a cache"
        case .repaired: "unfinished writes cut"
        case .refused: "logs refused"
        case .undecodable: "records unreadable"
        case .forgot: "batches forgotten"
        }
    }

    fileprivate var amount: Int {
        switch self {
        case .rotted(let bits): bits
        case .forgot(let batches): Int(batches)
        case .repaired(let repairs): repairs.count
        case .failed, .full, .misdirected, .lied, .refused, .undecodable: 1
        }
    }

    fileprivate var sentence: String {
        switch self {
        case .refused(let failure): "cannot use its log: \(failure)"
        case .undecodable(let record, let error): "cannot read record \(record): \(error)"
        case .forgot(let batches): "started without \(batches) acknowledged batches"
        case .failed, .full, .rotted, .misdirected, .lied, .repaired: word
        }
    }
}
