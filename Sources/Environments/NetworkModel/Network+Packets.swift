import Determinism
import LinkModel
import Machines
public import SimulationKernel
public import Units

extension Network {
    // MARK: - Datagrams

    /// Sends `size` bytes in one or more IP fragments; lost when any fragment is. Exactly one of
    /// `datagram` and `datagramLost` follows, with this token, and where a link duplicates perhaps
    /// `datagramCopied` before.
    public mutating func sendDatagram(
        from sender: NodeID,
        to receiver: NodeID,
        size: ByteCount,
        token: UInt32,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let route = route(from: sender, to: receiver)
        guard route >= 0 else {
            outputs.append(.datagramLost(token: token))
            return
        }
        var packet = Packet()
        packet.slot = token
        packet.generation = receiver.rawValue
        packet.flags = [.datagram]
        let (bytes, fragments) = Packet.wireBytes(ofDatagram: size)
        packet.length = UInt16(clamping: size.bytes)
        guard passesRules(from: sender, to: receiver) else {
            let held = HeldPacket(packet, bytes, fragments, from: sender, to: receiver, route)
            if hold(held) { return }
            links[Int(route)].countRuleDrop()
            outputs.append(.datagramLost(token: token))
            return
        }
        events &+= 1
        let fate = links[Int(route)]
            .offer(packet, wireBytes: bytes, fragments: fragments, at: now, queue: &queue)
        if fate != .carried { outputs.append(.datagramLost(token: token)) }
        if !links[Int(route)].pipe.discarded.isEmpty { loseDiscarded(Int(route)) }
    }

    /// Tells what became of datagrams that a queue or an outage dropped after it had taken them;
    /// segments need no telling.
    @inline(never)
    mutating func loseDiscarded(_ link: Int) {
        var tokens: [UInt32] = []
        links[link].takeDiscarded { packet in
            if packet.flags.contains(.datagram) { tokens.append(packet.slot) }
        }
        for token in tokens { outputs.append(.datagramLost(token: token)) }
    }

    func route(from sender: NodeID, to receiver: NodeID) -> Int32 {
        let from = nodes[Int(sender.rawValue)].region
        let to = nodes[Int(receiver.rawValue)].region
        return routes[from * topology.regionCount + to]
    }

    /// Partitions: the first rule with an opinion decides.
    @inline(__always)
    func passesRules(from sender: NodeID, to receiver: NodeID) -> Bool {
        if rules.isEmpty { return true }
        for index in rules.indices {
            switch rules[index].rule.verdict(from: sender, to: receiver) {
            case .pass: continue
            case .drop, .hold: return false
            case .accept: return true
            }
        }
        return true
    }

    // MARK: - Segments

    /// Where a side's endpoint and send buffer are.
    func sideIndex(_ slot: UInt32, _ side: ConnectionSide) -> Int {
        Int(slot) * 2 + Int(side.rawValue)
    }

    /// Puts a segment on its link.
    @inline(__always)
    mutating func transmit(
        _ packet: Packet,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let record = connections[Int(packet.slot)]
        let isForward = packet.side == ConnectionSide.opener.rawValue
        let route = isForward ? record.forward : record.backward
        guard route >= 0 else { return }
        if !rules.isEmpty {
            let sender = isForward ? record.opener : record.acceptor
            let receiver = isForward ? record.acceptor : record.opener
            guard passesRules(from: sender, to: receiver) else {
                let held = HeldPacket(
                    packet,
                    packet.wireBytes,
                    1,
                    from: sender,
                    to: receiver,
                    route
                )
                if !hold(held) { links[Int(route)].countRuleDrop() }
                return
            }
        }
        events &+= 1
        _ = links[Int(route)].offer(packet, wireBytes: packet.wireBytes, at: now, queue: &queue)
        if !links[Int(route)].pipe.discarded.isEmpty { loseDiscarded(Int(route)) }
    }

    /// A packet that did not come through untouched. What is corrupt fails its checksum and counts as
    /// never arrived.
    @inline(never)
    mutating func receive(
        _ arrival: Link.Pipe.Arrival,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        var packet = arrival.item
        if arrival.flags.contains(.marked) { packet.congestion.insert(.experienced) }
        let isLast = !arrival.flags.contains(.hasCopy)
        let isDatagram = packet.flags.contains(.datagram)
        if arrival.flags.contains(.corrupted) {
            if isDatagram, isLast { outputs.append(.datagramLost(token: packet.slot)) }
        } else if isDatagram {
            receiveDatagram(packet, isLast: isLast, at: now)
        } else {
            receive(packet, at: now, queue: &queue)
        }
    }

    /// A packet reached the node it is for.
    mutating func receive(
        _ packet: Packet,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        if packet.flags.contains(.datagram) {
            receiveDatagram(packet, isLast: true, at: now)
            return
        }
        let record = connections[Int(packet.slot)]
        // Both sides of a connection whose slot was used again have ended.
        guard record.isUsed, record.generation == packet.generation else { return }
        let isForward = packet.side == ConnectionSide.opener.rawValue
        let side = isForward ? ConnectionSide.acceptor : .opener
        let node = Int((isForward ? record.acceptor : record.opener).rawValue)
        mixArrival(packet, at: now, node: node)
        if nodes[node].life == .dark { return }
        let index = sideIndex(packet.slot, side)
        let phase = endpoints[index].phase
        let isRefused = nodes[node].life == .refusing && phase == .idle
        if isRefused { endpoints[index].refuse(into: &effects) }
        if phase == .ended || isRefused {
            answerWithReset(packet, index: index, at: now, queue: &queue)
            return
        }
        endpoints[index].receive(packet, at: now, into: &effects)
        apply(packet.slot, side, at: now, queue: &queue)
    }

    @inline(__always)
    private mutating func mixArrival(_ packet: Packet, at now: Instant, node: Int) {
        nodes[node].chain.combine(now.nanoseconds)
        nodes[node].chain.combine(packet.offset &* 3 &+ packet.acknowledgement)
    }

    /// - Parameter isLast: whether no copy follows, so that the token is free afterwards.
    private mutating func receiveDatagram(_ packet: Packet, isLast: Bool, at now: Instant) {
        let node = Int(packet.generation)
        mixArrival(packet, at: now, node: node)
        guard nodes[node].life == .running else {
            if isLast { outputs.append(.datagramLost(token: packet.slot)) }
            return
        }
        let receiver = NodeID(packet.generation)
        outputs.append(
            isLast
                ? .datagram(token: packet.slot, to: receiver)
                : .datagramCopied(token: packet.slot, to: receiver)
        )
    }

    /// Nobody lives on this side any more: the peer learns it, unless it said so itself.
    private mutating func answerWithReset(
        _ packet: Packet,
        index: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        if packet.flags.contains(.reset) { return }
        effects.clear()
        let isRefusing = endpoints[index].isRefusing
        endpoints[index].sendControl(
            isRefusing ? [.reset, .refused] : [.reset],
            at: now,
            into: &effects
        )
        sendEffects(at: now, queue: &queue)
    }

    /// Sends what the endpoint at hand wants sent.
    mutating func sendEffects(at now: Instant, queue: inout EventQueue<SimulationEvent>) {
        if effects.packets.isEmpty { return }
        for index in 0..<effects.packets.count {
            transmit(effects.packets[index], at: now, queue: &queue)
        }
        effects.packets.removeAll(keepingCapacity: true)
    }
}
