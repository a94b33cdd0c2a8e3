import Machines
public import Measurements
import Scenarios
import Transport
public import Units

/// Turns the chunks that bulk receivers report into goodput and utilisation of the steady part of each
/// transfer. With several transfers every figure carries the label of its link, and of transfers that
/// have a name that label as well. Of a link that several take, utilisation is told once, for all.
public struct BulkObserver: ExperimentObserver {
    public typealias Program = BulkNode

    private var tallies: [BulkTally]
    /// The first failure, and whose it was where the node is known.
    private var failure: (error: TransportError, transfer: Int?)?

    init(_ transfers: [BulkTransferPlan]) {
        tallies = transfers.map(BulkTally.init)
    }

    /// A steady run lasts until its time is over, or nothing more can come.
    public var isFinished: Bool { failure != nil }

    public mutating func observe(_ event: BulkNode.Event, on node: NodeID, at time: Instant) {
        guard case .shared(let place, let told) = event else {
            note(event, on: node, of: 0, at: time)
            return
        }
        note(told, on: node, of: place, at: time)
    }

    /// - Parameter place: of the transfer among those that the node sends; receivers have one.
    private mutating func note(
        _ event: BulkNode.Event,
        on node: NodeID,
        of place: Int,
        at time: Instant
    ) {
        var earlier = place
        let index = tallies.firstIndex { tally in
            if tally.plan.receiver == node { return true }
            guard tally.plan.sender == node else { return false }
            earlier -= 1
            return earlier < 0
        }
        if case .failed(let error) = event { failure = failure ?? (error, index) }
        if let index { tallies[index].observe(event, at: time) }
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let violations = tallies.flatMap(\.violations)
        record.invariants.append(
            InvariantOutcome(
                name: Scenario.Invariant.transferIdentical.rawValue,
                checked: tallies.reduce(0) { $0 + $1.chunks } + UInt64(violations.count),
                violations: violations
            )
        )
        let isLabelled = tallies.count > 1
        for tally in tallies { tally.addFacts(to: &record, isLabelled: isLabelled) }
        if let failure {
            let whose = failure.transfer.map {
                tallies[$0].plan.suffix(isLabelled: isLabelled)
            }
            record.outcome = .failed(
                message: "the transfer failed\(whose ?? ""): \(failure.error)"
            )
            return
        }
        // The end of a steady run is its time limit; nothing was cut short.
        let horizon = tallies.map(\.plan.transfer.horizon).max() ?? .zero
        if ending.time >= .zero + horizon { record.outcome = .completed }
        for tally in tallies { tally.measure(ending, into: &record, isLabelled: isLabelled) }
        guard record.outcome == .completed else { return }
        for group in sharedLinks {
            let sender = group[0].plan.sender
            BulkTally.measureLink(
                of: group,
                ending,
                into: &record,
                isAllOfSender: group.count == tallies.count { $0.plan.sender == sender }
            )
        }
    }

    /// The transfers of each link that several take.
    private var sharedLinks: [[BulkTally]] {
        tallies.filter(\.plan.sharesLink).reduce(into: []) { groups, tally in
            if let index = groups.firstIndex(where: { $0[0].takesLink(of: tally) }) {
                groups[index].append(tally)
            } else {
                groups.append([tally])
            }
        }
    }
}
