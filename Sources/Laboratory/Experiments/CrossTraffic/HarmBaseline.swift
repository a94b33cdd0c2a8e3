import Determinism
import FaultInjection
import Machines
import NetworkModel
import Scenarios
import SimulatedEnvironment
import SimulationKernel
import Units

/// The run against which harm is measured: the same world with the same flows of others, in which
/// one flow of their own kind stands in the place of each transfer.
struct HarmBaseline: Sendable {
    /// The flows that stand in the transfers' places.
    let replacements: [Scenario.CrossTraffic]
    let figures: CrossFigures
}

extension Scenario {
    /// The kinds of others' flows that go a transfer's way, in the order of the file.
    func competingKinds(from: RegionID, to: RegionID) -> [CompetingKind] {
        crossTraffic(from: from, to: to).map(CompetingKind.init).reduce(into: []) { kinds, kind in
            if !kinds.contains(kind) { kinds.append(kind) }
        }
    }

    /// What stands in the transfers' places in each run that harm is measured against: with several
    /// kinds of flows beside one transfer there is a run for each.
    var harmReplacements: [[CrossTraffic]] {
        guard case .bulk(let bulk) = workload else { return [] }
        let kinds = bulk.transfers.map { competingKinds(from: $0.from, to: $0.to) }
        let count = kinds.map(\.count).max() ?? 0
        return (0..<count).map { run in
            zip(bulk.transfers, kinds).compactMap { transfer, kinds in
                guard !kinds.isEmpty else { return nil }
                let kind = kinds[min(run, kinds.count - 1)]
                return CrossTraffic(
                    from: transfer.from,
                    to: transfer.to,
                    flows: 1,
                    congestion: kind.congestion,
                    usesCongestionNotification: kind.usesCongestionNotification
                )
            }
        }
    }
}

/// What makes two ordinary flows of one kind.
struct CompetingKind: Hashable, Sendable {
    let congestion: Scenario.SystemConfiguration.Transport.Congestion
    let usesCongestionNotification: Bool

    init(_ traffic: Scenario.CrossTraffic) {
        congestion = traffic.congestion
        usesCongestionNotification = traffic.usesCongestionNotification
    }

    var text: String {
        usesCongestionNotification ? "\(congestion.rawValue) with marks" : congestion.rawValue
    }
}

extension HarmBaseline {
    /// Simulates the baseline of a plan; its fingerprint goes into `chain`.
    ///
    /// - Returns: `nil` when it was cancelled.
    static func simulate(
        _ plan: SimulationPlan,
        _ scenario: Scenario,
        _ replacements: [Scenario.CrossTraffic],
        fingerprint chain: inout HashChain,
        isCancelled: @escaping () -> Bool
    ) -> HarmBaseline? {
        var plan = plan
        plan.topology.crossTraffic += replacements.map(NetworkModel.CrossTraffic.init)
        var simulation = Simulation(plan, observer: IdleObserver()) { _ in IdleNode() }
        let end = simulation.run(isCancelled: isCancelled)
        guard end != .cancelled else { return nil }
        chain.combine(simulation.fingerprint)
        return CrossFigures(simulation, scenario.crossTraffic + replacements, plan.topology)
            .map { HarmBaseline(replacements: replacements, figures: $0) }
    }
}

/// A node that does nothing, in the place of one under test.
private struct IdleNode: Machine {
    mutating func step(
        _ input: Input<IdleNode>,
        at now: Instant,
        into actions: inout Actions<IdleNode>
    ) {}
}

/// Lets a run go on until its time is over.
private struct IdleObserver: RunObserver {
    typealias Program = IdleNode

    var isFinished: Bool { false }

    mutating func observe(_ event: Never, on node: NodeID, at time: Instant) {}
}
