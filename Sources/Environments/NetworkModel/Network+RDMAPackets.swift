import Determinism
import LinkModel
import Machines
import SimulationKernel
import StreamLinks
import Units

/// How packets of queue pairs move.
extension Network {
    mutating func handle(
        _ event: RDMAEvent,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        switch event {
        case .sent(let link):
            rdma.wires[Int(link.rawValue)]!.isSending = false
            send(Int(link.rawValue), at: now, queue: &queue)
        case .arrival(let link):
            arrive(Int(link.rawValue), at: now, queue: &queue)
        case .passage(let region):
            pass(Int(region.rawValue), at: now, queue: &queue)
        case .pause(let link, let stops):
            pause(Int(link.rawValue), stops, at: now, queue: &queue)
        case .advance(let pair, let side):
            guard isCurrent(pair) else { return }
            rdma.ends[endIndex(pair, side)].isAdvancing = false
            advance(pair, side, at: now, queue: &queue)
        case .timer(let pair, let side):
            if isCurrent(pair) { wake(pair, side, at: now, queue: &queue) }
        case .setUp(let pair, let step):
            if isCurrent(pair) { setUp(pair, step, at: now, queue: &queue) }
        case .ended(let pair, let side, let attempt):
            if isCurrent(pair) {
                hearOfEnd(pair, side, attempt: attempt, at: now, queue: &queue)
            }
        }
    }

    // MARK: - Egress

    /// A side has packets to send: it takes its turn on its link.
    mutating func list(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        guard !rdma.ends[end].isListed else { return }
        rdma.ends[end].isListed = true
        let record = rdma.pairs[Int(pair.slot)]
        let route = side == .opener ? record.forward : record.backward
        rdma.wires[route]!.turns.append(RDMAWire.Turn(pair: pair, side: side))
        send(route, at: now, queue: &queue)
    }

    /// Begins the next packet of a link, unless one is being sent or the region is paused.
    private mutating func send(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let region = rdma.wires[route]!.from
        guard !rdma.wires[route]!.isSending, rdma.ports[region].stops == 0,
            let packet = nextPacket(route, at: now, queue: &queue)
        else { return }
        let record = rdma.pairs[Int(packet.pair.slot)]
        let side = ConnectionSide(rawValue: packet.side)!
        let isCut =
            isCurrent(packet.pair)
            && !passesRules(from: record.node(side), to: record.node(side.other))
        events &+= 1
        let times = rdma.wires[route]!.send(packet, isCut: isCut, at: now)
        rdma.wires[route]!.isSending = true
        let link = rdma.wires[route]!.id
        _ = queue.schedule(
            .network(.rdma(.sent(link))),
            at: times.sent,
            from: &rdma.wires[route]!.origin
        )
        if let arrival = times.arrival { scheduleArrival(route, at: arrival, queue: &queue) }
    }

    private mutating func scheduleArrival(
        _ route: Int,
        at time: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let link = rdma.wires[route]!.id
        _ = queue.schedule(
            .network(.rdma(.arrival(link))),
            at: time,
            from: &rdma.wires[route]!.origin
        )
    }

    private mutating func nextPacket(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> RDMAPacket? {
        if let answer = rdma.wires[route]!.answers.first {
            rdma.wires[route]!.answers.removeFirst()
            return answer
        }
        while let turn = rdma.wires[route]!.turns.first {
            rdma.wires[route]!.turns.removeFirst()
            guard isCurrent(turn.pair) else { continue }
            let (pair, side) = (turn.pair, turn.side)
            let end = endIndex(pair, side)
            guard rdma.ends[end].queuePair.wantsToSend else {
                rdma.ends[end].isListed = false
                continue
            }
            var (packet, wake) = rdma.ends[end].queuePair.takePacket(at: now)
            packet.pair = pair
            packet.side = side.rawValue
            if let wake { scheduleTimer(pair, side, at: wake, queue: &queue) }
            if rdma.ends[end].queuePair.wantsToSend {
                rdma.wires[route]!.turns.append(turn)
            } else {
                rdma.ends[end].isListed = false
            }
            return packet
        }
        return nil
    }

    /// A request of the queue at a link's end reaches the sender's port, which stops or goes on
    /// with everything that it sends, to whomever.
    private mutating func pause(
        _ route: Int,
        _ stops: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let region = rdma.wires[route]!.from
        if stops {
            rdma.wires[route]!.stoppedSince = now
            rdma.ports[region].stops += 1
            return
        }
        if let since = rdma.wires[route]!.stoppedSince {
            rdma.wires[route]!.counters.paused += now - since
        }
        rdma.wires[route]!.stoppedSince = nil
        rdma.ports[region].stops -= 1
        guard rdma.ports[region].stops == 0 else { return }
        for other in rdma.wires.indices where rdma.wires[other]?.from == region {
            send(other, at: now, queue: &queue)
        }
    }

    // MARK: - The queue at the end

    private mutating func arrive(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let transit = rdma.wires[route]!.transit.first!
        rdma.wires[route]!.transit.removeFirst()
        if let next = rdma.wires[route]!.transit.first {
            scheduleArrival(route, at: next.arrival, queue: &queue)
        }
        let size = Int(transit.packet.wireBytes)
        if transit.isSpoiled {
            // Its check sequence is wrong.
            rdma.wires[route]!.counters.corrupted &+= 1
            return
        }
        guard rdma.wires[route]!.admits(size) else { return }
        let region = rdma.wires[route]!.to
        let start = max(now, rdma.ports[region].busyUntil)
        let passage = start + rdma.ports[region].rate.serializationTime(of: ByteCount(size))
        rdma.ports[region].busyUntil = passage
        rdma.ports[region].queue.append(
            RDMAPort.Waiting(packet: transit.packet, wire: Int32(route), passage: passage)
        )
        if rdma.ports[region].queue.count == 1 {
            schedulePassage(region, at: passage, queue: &queue)
        }
        request(route, at: now, queue: &queue)
    }

    private mutating func schedulePassage(
        _ region: Int,
        at time: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        _ = queue.schedule(
            .network(.rdma(.passage(RegionID(UInt32(region))))),
            at: time,
            from: &rdma.ports[region].origin
        )
    }

    private mutating func request(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let link = rdma.wires[route]!.id
        let (stops, time): (Bool, Instant)
        switch rdma.wires[route]!.request(at: now) {
        case .nothing: return
        case .stop(let at): (stops, time) = (true, at)
        case .resume(let at): (stops, time) = (false, at)
        }
        _ = queue.schedule(
            .network(.rdma(.pause(link, stops))),
            at: time,
            from: &rdma.wires[route]!.origin
        )
    }

    private mutating func pass(
        _ region: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let entry = rdma.ports[region].queue.first!
        rdma.ports[region].queue.removeFirst()
        if let next = rdma.ports[region].queue.first {
            schedulePassage(region, at: next.passage, queue: &queue)
        }
        let route = Int(entry.wire)
        rdma.wires[route]!.release(Int(entry.packet.wireBytes))
        request(route, at: now, queue: &queue)
        events &+= 1
        receive(entry.packet, at: now, queue: &queue)
    }

    // MARK: - Queue pairs

    private mutating func receive(
        _ packet: RDMAPacket,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard isCurrent(packet.pair) else { return }
        let sender = ConnectionSide(rawValue: packet.side)!
        let side = sender.other
        let end = endIndex(packet.pair, side)
        let node = Int(rdma.pairs[Int(packet.pair.slot)].node(side).rawValue)
        nodes[node].chain.combine(now.nanoseconds)
        nodes[node].chain.combine(packet.number)
        // A device knows nothing of pairs whose process has died.
        guard rdma.ends[end].life == .present else { return }
        switch packet.kind {
        case .data:
            receiveData(packet, side, at: now, queue: &queue)
        case .acknowledgement:
            let result = rdma.ends[end].queuePair.acknowledge(before: packet.number, at: now)
            finish(result, packet.pair, side, at: now, queue: &queue)
        case .sequenceError:
            let result = rdma.ends[end].queuePair.goBack(to: packet.number, at: now)
            finish(result, packet.pair, side, at: now, queue: &queue)
        }
    }

    private mutating func receiveData(
        _ packet: RDMAPacket,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(packet.pair, side)
        let place = rdma.ends[end].queuePair.taken
        let receipt = rdma.ends[end].queuePair.receive(
            packet.number,
            endsMessage: packet.endsMessage
        )
        switch receipt {
        case .next:
            guard packet.endsMessage else { return }
            let peer = endIndex(packet.pair, side.other)
            let message = rdma.ends[peer].queuePair.message(place)
            answer(packet.pair, side, .acknowledgement, at: now, queue: &queue)
            take(message, packet.pair, side, at: now, queue: &queue)
        case .repeated:
            guard packet.endsMessage else { return }
            answer(packet.pair, side, .acknowledgement, at: now, queue: &queue)
        case .gap:
            answer(packet.pair, side, .sequenceError, at: now, queue: &queue)
        case .awaited:
            break
        }
    }

    private mutating func answer(
        _ pair: PairID,
        _ side: ConnectionSide,
        _ kind: RDMAPacket.Kind,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        var packet = RDMAPacket()
        packet.pair = pair
        packet.number = rdma.ends[endIndex(pair, side)].queuePair.awaited
        packet.wireBytes = UInt16(RDMAPacket.acknowledgementBytes)
        packet.kind = kind
        packet.side = side.rawValue
        let record = rdma.pairs[Int(pair.slot)]
        let route = side == .opener ? record.forward : record.backward
        rdma.wires[route]!.answers.append(packet)
        send(route, at: now, queue: &queue)
    }

    /// What follows from an acknowledgement, or from a request to go back.
    private mutating func finish(
        _ result: (done: Int, wake: Instant?),
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        if let wake = result.wake { scheduleTimer(pair, side, at: wake, queue: &queue) }
        complete(result.done, pair, side, at: now, queue: &queue)
        goOn(pair, side, at: now, queue: &queue)
    }

    private mutating func goOn(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        guard isCurrent(pair), rdma.ends[end].life == .present else { return }
        if rdma.ends[end].queuePair.isBroken {
            let text = "a request failed after \(ReliableQueuePair.retries) repetitions"
            lose(pair, side, .broken(text), at: now, queue: &queue)
        } else if rdma.ends[end].queuePair.wantsToSend {
            list(pair, side, at: now, queue: &queue)
        }
    }

    private mutating func scheduleTimer(
        _ pair: PairID,
        _ side: ConnectionSide,
        at time: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let node = rdma.pairs[Int(pair.slot)].node(side)
        schedule(.timer(pair, side), at: time, by: node, queue: &queue)
    }

    private mutating func wake(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        switch rdma.ends[endIndex(pair, side)].queuePair.wake(at: now) {
        case .nothing: break
        case .later(let time): scheduleTimer(pair, side, at: time, queue: &queue)
        case .repeats, .exhausted: goOn(pair, side, at: now, queue: &queue)
        }
    }
}
