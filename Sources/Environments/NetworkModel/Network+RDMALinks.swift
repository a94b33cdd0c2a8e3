import LinkModel
import Machines
import SimulationKernel
import StreamLinks
import Units

/// What the two sides of a queue pair do and hear.
extension Network {
    /// Posts everything that a side may post now, and carries out what it wants besides.
    mutating func advance(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        var actions = rdma.actions
        rdma.actions = []
        rdma.ends[end].link.advance(at: now, into: &actions)
        carryOut(&actions, pair, side, at: now, queue: &queue)
        actions.removeAll(keepingCapacity: true)
        rdma.actions = actions
    }

    private mutating func carryOut(
        _ actions: inout [StreamLink.Action],
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        for action in actions {
            switch action {
            case .send(let bytes):
                rdma.ends[end].queuePair.post(.message(bytes))
            case .place(_, let pieces, let stream):
                let bytes = pieces.reduce(0) { $0 + $1.count }
                rdma.ends[end].placed += bytes
                let taken = rdma.ends[endIndex(pair, side.other)].taken
                rdma.ends[end].peakRing = max(
                    rdma.ends[end].peakRing,
                    rdma.ends[end].placed - taken
                )
                rdma.ends[end].queuePair.post(.write(pieces, stream: stream))
            case .tell(let stream, let happening):
                tell(pair, side, stream, happening)
            case .fail:
                leave(pair, side, at: now, queue: &queue)
            }
        }
        if rdma.ends[end].open.count != rdma.ends[end].link.streamCount { settle(pair, side) }
        if rdma.ends[end].queuePair.wantsToSend { list(pair, side, at: now, queue: &queue) }
        endWhenOver(pair)
    }

    private mutating func tell(
        _ pair: PairID,
        _ side: ConnectionSide,
        _ number: UInt32,
        _ happening: StreamLink.Happening
    ) {
        guard let slot = rdma.pairs[Int(pair.slot)].slots[number] else { return }
        let connection = ConnectionID(
            slot: slot,
            generation: connections[Int(slot)].generation
        )
        let end = endIndex(pair, side)
        switch happening {
        case .opened:
            if side == .opener {
                rdma.streams[Int(slot)].isAnnounced = true
            } else {
                rdma.ends[end].open.append(number)
            }
            let credit = rdma.ends[end].link.credit(of: number)
            outputs.append(.opened(connection, side, credit: credit))
        case .writable:
            let credit = rdma.ends[end].link.credit(of: number)
            outputs.append(.writable(connection, side, credit: credit))
        case .readable(let bytes):
            if side == .opener {
                rdma.streams[Int(slot)].received.opener += Int64(bytes.count)
            } else {
                rdma.streams[Int(slot)].received.acceptor += Int64(bytes.count)
            }
            outputs.append(.readable(connection, side, bytes))
        case .finished:
            outputs.append(.finished(connection, side))
        case .reset(let reason):
            outputs.append(.reset(connection, side, reason))
        case .path(let sample):
            outputs.append(.path(connection, side, sample))
        case .notCarried:
            // On real devices TCP would carry it from here.
            outputs.append(.reset(connection, side, .timedOut))
        }
    }

    /// Notes which streams have ended on a side.
    private mutating func settle(_ pair: PairID, _ side: ConnectionSide) {
        let end = endIndex(pair, side)
        var ended: [UInt32] = []
        var open = rdma.ends[end].open
        open.removeAll { number in
            if rdma.ends[end].link.isOpen(number) { return false }
            ended.append(number)
            return true
        }
        rdma.ends[end].open = open
        for number in ended { noteEnd(pair, side, number) }
    }

    private mutating func noteEnd(_ pair: PairID, _ side: ConnectionSide, _ number: UInt32) {
        guard let slot = rdma.pairs[Int(pair.slot)].slots[number] else { return }
        let index = Int(slot)
        if side == .opener { rdma.streams[index].isOver.opener = true }
        // An acceptor that cannot hear of it any more has nothing to end.
        let isUnheard = side == .opener && !rdma.streams[index].isAnnounced
        if side == .acceptor || isUnheard { rdma.streams[index].isOver.acceptor = true }
        guard rdma.streams[index].isOver.opener, rdma.streams[index].isOver.acceptor else {
            return
        }
        rdma.pairs[Int(pair.slot)].slots[number] = nil
        rdma.pairs[Int(pair.slot)].members.removeAll { $0 == slot }
        release(slot)
    }

    // MARK: - Ends

    /// The link of one side fails: its streams hear it, and so does the peer, one way later.
    mutating func lose(
        _ pair: PairID,
        _ side: ConnectionSide,
        _ failure: StreamLink.Failure,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        guard rdma.ends[end].life == .present else { return }
        var actions: [StreamLink.Action] = []
        rdma.ends[end].link.lose(failure, into: &actions)
        carryOut(&actions, pair, side, at: now, queue: &queue)
    }

    /// A side is gone; its peer's process learns it when the connection that set the pair up ends.
    private mutating func leave(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        abandon(pair, side)
        inform(pair, side.other, after: way(pair, side), at: now, queue: &queue)
    }

    private func way(_ pair: PairID, _ side: ConnectionSide) -> Interval {
        let record = rdma.pairs[Int(pair.slot)]
        return rdma.wires[side == .opener ? record.forward : record.backward]!.way
    }

    private mutating func abandon(_ pair: PairID, _ side: ConnectionSide) {
        let end = endIndex(pair, side)
        rdma.ends[end].life = .gone
        rdma.ends[end].queuePair.breakDown()
    }

    private mutating func inform(
        _ pair: PairID,
        _ side: ConnectionSide,
        after delay: Interval,
        attempt: UInt8 = 0,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard rdma.ends[endIndex(pair, side)].life == .present else { return }
        let node = rdma.pairs[Int(pair.slot)].node(side)
        schedule(
            .ended(pair, side, attempt: attempt),
            at: now + delay,
            by: node,
            queue: &queue
        )
    }

    /// Word of the peer's end comes, if the way is open; if not, it is repeated until TCP gives up.
    mutating func hearOfEnd(
        _ pair: PairID,
        _ side: ConnectionSide,
        attempt: UInt8,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let pause = RDMAPlane.repetition
        let isLast = pause * Int64(attempt) >= parameters.patience
        if isOpen(pair, from: side.other) || isLast {
            lose(pair, side, .peerGone, at: now, queue: &queue)
        } else {
            inform(pair, side, after: pause, attempt: attempt + 1, at: now, queue: &queue)
        }
    }

    /// Whether a segment from this side would reach the other's host.
    private func isOpen(_ pair: PairID, from side: ConnectionSide) -> Bool {
        let record = rdma.pairs[Int(pair.slot)]
        let wire = rdma.wires[side == .opener ? record.forward : record.backward]!
        let (sender, receiver) = (record.node(side), record.node(side.other))
        return wire.isUp && passesRules(from: sender, to: receiver)
    }

    /// The node's process died: its sides of all pairs are gone, without any output to itself.
    mutating func dropRDMANode(
        _ node: NodeID,
        silently: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        for slot in rdma.pairs.indices {
            for side in ConnectionSide.allCases
            where rdma.pairs[slot].isUsed && rdma.pairs[slot].node(side) == node {
                let pair = PairID(slot: UInt32(slot), generation: rdma.pairs[slot].generation)
                let end = endIndex(pair, side)
                guard rdma.ends[end].life == .present else { continue }
                abandon(pair, side)
                let silence = (parameters.keepAlive ?? .zero) + parameters.patience
                inform(
                    pair,
                    side.other,
                    after: silently ? silence : way(pair, side),
                    at: now,
                    queue: &queue
                )
                for number in rdma.ends[end].open { noteEnd(pair, side, number) }
                rdma.ends[end].open = []
                endWhenOver(pair)
            }
        }
    }

    /// Once neither side lives nothing can come of the pair, and its slot is free.
    private mutating func endWhenOver(_ pair: PairID) {
        guard isCurrent(pair), rdma.ends[endIndex(pair, .opener)].life != .present,
            rdma.ends[endIndex(pair, .acceptor)].life != .present
        else { return }
        for slot in rdma.pairs[Int(pair.slot)].members { release(slot) }
        rdma.pairs[Int(pair.slot)].members = []
        rdma.pairs[Int(pair.slot)].slots = [:]
        rdma.pairs[Int(pair.slot)].isUsed = false
        rdma.pairs[Int(pair.slot)].generation &+= 1
        rdma.freePairs.append(pair.slot)
    }

    // MARK: - Setting up

    /// Two round trips of a TCP connection tell the sides of each other, as the real environment
    /// does; then both say hello over the pair.
    mutating func setUp(
        _ pair: PairID,
        _ step: PairStep,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let record = rdma.pairs[Int(pair.slot)]
        let opener = endIndex(pair, .opener)
        let acceptor = endIndex(pair, .acceptor)
        let life = nodes[Int(record.acceptor.rawValue)].life
        switch step {
        case .request, .offer:
            guard isOpen(pair, from: .opener), life != .dark else {
                return again(pair, step, by: .opener, at: now, queue: &queue)
            }
            guard life == .running, rdma.ends[acceptor].life == .absent else {
                return next(pair, .refusal, from: .acceptor, at: now, queue: &queue)
            }
            if step == .request {
                return next(pair, .confirmation, from: .acceptor, at: now, queue: &queue)
            }
            rdma.ends[acceptor].life = .present
            connect(pair, .acceptor, at: now, queue: &queue)
            schedule(
                .setUp(pair, .acceptorDeadline),
                at: now + RDMAPlane.patience,
                by: record.acceptor,
                queue: &queue
            )
            next(pair, .answer, from: .acceptor, at: now, queue: &queue)
        case .confirmation, .refusal, .answer:
            guard isOpen(pair, from: .acceptor) else {
                return again(pair, step, by: .acceptor, at: now, queue: &queue)
            }
            guard rdma.ends[opener].life == .present else { return }
            if step == .refusal {
                lose(pair, .opener, .refused, at: now, queue: &queue)
            } else if step == .answer {
                connect(pair, .opener, at: now, queue: &queue)
            } else {
                next(pair, .offer, from: .opener, at: now, queue: &queue)
            }
        case .openerDeadline, .acceptorDeadline:
            let side = step == .openerDeadline ? ConnectionSide.opener : .acceptor
            guard !rdma.ends[endIndex(pair, side)].link.isUp else { return }
            lose(pair, side, .broken("no hello from the peer"), at: now, queue: &queue)
        }
    }

    private mutating func connect(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let record = rdma.pairs[Int(pair.slot)]
        let wire = rdma.wires[side == .opener ? record.forward : record.backward]!
        rdma.ends[endIndex(pair, side)].link.connect(
            sendLength: Int(wire.rdma.ring.bytes),
            peerReceives: RDMAPlane.receives
        )
        advance(pair, side, at: now, queue: &queue)
    }

    private mutating func next(
        _ pair: PairID,
        _ step: PairStep,
        from side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let node = rdma.pairs[Int(pair.slot)].node(side)
        schedule(.setUp(pair, step), at: now + way(pair, side), by: node, queue: &queue)
    }

    private mutating func again(
        _ pair: PairID,
        _ step: PairStep,
        by side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let node = rdma.pairs[Int(pair.slot)].node(side)
        let time = now + RDMAPlane.repetition
        guard time - rdma.pairs[Int(pair.slot)].begun <= RDMAPlane.patience else { return }
        schedule(.setUp(pair, step), at: time, by: node, queue: &queue)
    }

    // MARK: - Completions

    /// A message of the peer has arrived whole.
    mutating func take(
        _ message: ReliableQueuePair.Message,
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        var actions: [StreamLink.Action] = []
        switch message.content {
        case .message(let bytes):
            rdma.ends[end].link.receive(bytes[...], at: now, into: &actions)
        case .write(let pieces, let stream):
            rdma.ends[end].taken += message.bytes
            rdma.ends[end].link.arrive(message.bytes, for: stream, into: &actions) { _ in
                // One piece is handed over as it is; nothing is copied.
                pieces.count == 1 ? pieces[0] : Array(pieces.joined())[...]
            }
        }
        rdma.ends[end].link.advance(at: now, into: &actions)
        carryOut(&actions, pair, side, at: now, queue: &queue)
    }

    /// So many of the oldest messages that a side has posted are acknowledged.
    mutating func complete(
        _ count: Int,
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard count > 0 else { return }
        let end = endIndex(pair, side)
        var actions: [StreamLink.Action] = []
        for _ in 0..<count { rdma.ends[end].link.completed(at: now, into: &actions) }
        rdma.ends[end].link.advance(at: now, into: &actions)
        carryOut(&actions, pair, side, at: now, queue: &queue)
    }
}
