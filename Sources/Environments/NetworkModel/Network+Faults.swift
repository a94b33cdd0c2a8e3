public import LinkModel
public import SimulationKernel
public import Units

/// A packet that a rule keeps.
struct HeldPacket {
    var packet: Packet
    var wireBytes: Int
    var fragments: Int
    var sender: NodeID
    var receiver: NodeID
    var route: Int32

    init(
        _ packet: Packet,
        _ wireBytes: Int,
        _ fragments: Int,
        from sender: NodeID,
        to receiver: NodeID,
        _ route: Int32
    ) {
        self.packet = packet
        self.wireBytes = wireBytes
        self.fragments = fragments
        self.sender = sender
        self.receiver = receiver
        self.route = route
    }

    /// More packets than this are not kept at a time.
    static var limit: Int { 1 << 18 }
}

extension Network {
    /// What the topology says of a link.
    public func parameters(of link: LinkID) -> LinkParameters {
        links[Int(link.rawValue)].pipe.parameters
    }

    /// Gives a link the condition that all faults together ask for; its rate is changed by
    /// ``setRate``. Fluids and RDMA know of it only delay, loss, length and whether the link is up.
    public mutating func setCondition(
        _ link: LinkID,
        _ condition: LinkCondition,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        setLink(link, isUp: condition.isUp, at: now, queue: &queue)
        setExtraDelay(link, condition.extraDelay)
        setExtraLoss(link, condition.extraLoss)
        setPacketLimit(link, condition.packetLimit)
        links[Int(link.rawValue)].setExtraFaults(condition.trouble, jitter: condition.extraJitter)
        links[Int(link.rawValue)].setQueueLimit(condition.queueLimit)
    }

    /// Removes rules and sends what only they held.
    public mutating func removeRules(
        _ ids: [RuleID],
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        for id in ids { removeRule(id) }
        guard !held.isEmpty else { return }
        let waiting = held
        held = []
        for entry in waiting {
            let route = Int(entry.route)
            let isDatagram = entry.packet.flags.contains(.datagram)
            guard passesRules(from: entry.sender, to: entry.receiver) else {
                if hold(entry) { continue }
                links[route].countRuleDrop()
                if isDatagram { outputs.append(.datagramLost(token: entry.packet.slot)) }
                continue
            }
            events &+= 1
            let fate = links[route].offer(
                entry.packet,
                wireBytes: entry.wireBytes,
                fragments: entry.fragments,
                at: now,
                queue: &queue
            )
            if isDatagram, fate != .carried {
                outputs.append(.datagramLost(token: entry.packet.slot))
            }
            if !links[route].pipe.discarded.isEmpty { loseDiscarded(route) }
        }
    }

    /// Keeps a packet that does not pass, where the rule that decides says so; `false` otherwise.
    mutating func hold(_ entry: HeldPacket) -> Bool {
        let verdict = rules.lazy
            .map { $0.rule.verdict(from: entry.sender, to: entry.receiver) }
            .first { $0 != .pass }
        guard verdict == .hold, held.count < HeldPacket.limit else { return false }
        held.append(entry)
        return true
    }
}
