import FaultInjection
import Machines
import Measurements
import SocketEnvironment
import Units

/// Faults that happen to real processes.
extension SocketStage {
    mutating func carryOutFaults(at now: Instant) throws {
        while let change = changes.first, change.time <= now {
            let position = changes.startIndex
            changes.removeFirst()
            let fault = plan.faults[change.fault]
            switch fault.effect {
            case .crash(let nodes): try crash(nodes, change)
            case .pause(let nodes): pause(nodes, change)
            case .cut(let directions) where partsByNodes: part(directions, change)
            case .down, .delay, .loss, .blackHole, .cut, .link:
                guard let emulator else { continue }
                emulator.change(position)
            // Only simulations can do these; a scenario that asks for them here was refused.
            case .clog, .resetStreams, .reboot, .crashAtWrite, .slow, .stalls, .clock, .disk,
                .leader,
                .boot:
                continue
            }
            switch change.kind {
            case .fire: log.fire(fault.id, at: now)
            case .heal: log.heal(fault.id, at: now)
            case .turn: break
            }
        }
    }

    private mutating func crash(_ nodes: [NodeID], _ change: FaultPlan.Change) throws {
        for node in nodes.map({ Int($0.rawValue) }) {
            if change.kind == .fire {
                downBy[node].insert(change.fault)
                crash(node)
            } else {
                downBy[node].remove(change.fault)
                if downBy[node].isEmpty, agents[node] == nil { try launch(node) }
            }
        }
    }

    private mutating func pause(_ nodes: [NodeID], _ change: FaultPlan.Change) {
        for node in nodes.map({ Int($0.rawValue) }) {
            guard let agent = agents[node] else { continue }
            if change.kind == .fire {
                pausedBy[node].insert(change.fault)
                agent.pause()
            } else if pausedBy[node].remove(change.fault) != nil, pausedBy[node].isEmpty {
                agent.resume()
            }
        }
    }

    // MARK: Partitions without emulated links

    /// Whether the nodes part themselves. Streams over RDMA cannot be held.
    private var partsByNodes: Bool { emulator == nil && replication.environment == .sockets }

    private mutating func part(_ directions: [PlannedFault.Cut], _ change: FaultPlan.Change) {
        let isCut =
            switch change.kind {
            case .fire: true
            case .heal: false
            case .turn: change.turn.isMultiple(of: 2)
            }
        cuts[change.fault] = isCut ? directions : nil
        for node in 0..<cross.first {
            let parting = parting(of: NodeID(UInt32(node)))
            guard parting != partings[node] else { continue }
            partings[node] = parting
            agents[node]?.send(.part(parting))
        }
    }

    private func parting(of node: NodeID) -> Parting {
        var unreached = Set<UInt32>()
        var unheard = Set<UInt32>()
        for cut in cuts.values.joined() {
            if cut.from.contains(node) { unreached.formUnion(cut.to.map(\.rawValue)) }
            if cut.to.contains(node) { unheard.formUnion(cut.from.map(\.rawValue)) }
        }
        return Parting(unreached: unreached.sorted(), unheard: unheard.sorted())
    }

    /// How partitions came about, and which faults of the network did not.
    var partitionFacts: [Fact] {
        guard emulator == nil else { return [] }
        var facts: [Fact] = []
        var missing = Set<String>()
        var hasCuts = false
        for fault in plan.faults {
            switch fault.effect {
            case .cut where partsByNodes: hasCuts = true
            case .down, .delay, .loss, .blackHole, .cut, .link: missing.insert(fault.kind)
            default: break
            }
        }
        if hasCuts {
            facts.append(
                Fact("partitions", "made by the nodes, which drop messages and hold streams")
            )
        }
        if !missing.isEmpty {
            let kinds = missing.sorted().joined(separator: ", ")
            facts.append(Fact("faults left out", "\(kinds): they need emulated links"))
        }
        return facts
    }
}
