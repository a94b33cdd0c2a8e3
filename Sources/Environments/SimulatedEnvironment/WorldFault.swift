public import HardwareModel
public import LinkModel
public import NetworkModel
public import Units

/// One change that a fault makes to the world; healing is a change of its own.
public enum WorldFault: Sendable {
    /// The processes die: machines, timers, unsynced writes and running work are gone; peers see
    /// resets. A node that is down already stays down until this fault has ended too.
    case crash([NodeID])
    /// Ends the crash of the same number: new incarnations start with what was durable, unless
    /// another fault keeps the node down.
    case restart([NodeID])
    /// Inputs queue up, in order, until the nodes go on. Nothing happens to a node that is down.
    case pause([NodeID])
    /// Ends the pause of the same number; a node goes on once no other fault holds it.
    case resume([NodeID])
    /// What waits on these links, and what is offered to them, is lost.
    case down([LinkID])
    /// On top of the links' own delay; delays of several faults add up.
    case delay([LinkID], Interval)
    /// Besides the links' own loss; of several such faults the latest counts.
    case loss([LinkID], LinkModel.LossModel)
    /// Packets longer than this, IP header included, are dropped; of several such limits the smallest
    /// counts.
    case blackHole([LinkID], ByteCount)
    /// Packets that match a rule are dropped.
    case block([NetworkRule])
    /// The nodes' disks misbehave; `heal` of the same number ends it and starts nodes that it had
    /// stopped. What it has done to stored bytes stays.
    case disk([NodeID], DiskFault)
    /// Takes back whatever the fault of the same number did to links, rules and disks.
    case heal
}

/// What faults are doing to links at present.
public struct LinkFaults: Sendable {
    private var active: [(number: Int, change: WorldFault)] = []
    private var rules: [(number: Int, rules: [RuleID])] = []

    public init() {}

    public mutating func begin(_ change: WorldFault, number: Int) {
        active.append((number, change))
    }

    public mutating func begin(rules ids: [RuleID], number: Int) {
        rules.append((number, ids))
    }

    /// Forgets one fault; returns the links it touched and the rules it had set.
    public mutating func end(number: Int) -> (links: [LinkID], rules: [RuleID]) {
        let links = active.filter { $0.number == number }.flatMap {
            LinkFaults.links(of: $0.change)
        }
        let ids = rules.filter { $0.number == number }.flatMap(\.rules)
        active.removeAll { $0.number == number }
        rules.removeAll { $0.number == number }
        return (links, ids)
    }

    public func isUp(_ link: LinkID) -> Bool {
        !active.contains { entry in
            if case .down(let links) = entry.change { links.contains(link) } else { false }
        }
    }

    public func delay(_ link: LinkID) -> Interval {
        active.reduce(.zero) { sum, entry in
            if case .delay(let links, let extra) = entry.change, links.contains(link) {
                sum + extra
            } else {
                sum
            }
        }
    }

    public func loss(_ link: LinkID) -> LinkModel.LossModel {
        for entry in active.reversed() {
            if case .loss(let links, let model) = entry.change, links.contains(link) {
                return model
            }
        }
        return .none
    }

    /// The longest packet that passes; `nil` for no limit.
    public func packetLimit(_ link: LinkID) -> ByteCount? {
        active.reduce(nil) { least, entry in
            if case .blackHole(let links, let limit) = entry.change, links.contains(link) {
                min(least ?? limit, limit)
            } else {
                least
            }
        }
    }

    public static func links(of change: WorldFault) -> [LinkID] {
        switch change {
        case .down(let links), .delay(let links, _), .loss(let links, _),
            .blackHole(let links, _):
            links
        case .crash, .restart, .pause, .resume, .block, .disk, .heal: []
        }
    }
}
