import Determinism
import LinkModel
import Machines
import SimulationKernel
import Units

/// The connections of fluid links: the same calls and outputs as for those of packets.
struct FluidPlane {
    /// One for each entry of `Network.links`; `nil` for links of packets.
    var links: [FluidLink?]
    /// Indexed like `Network.endpoints`; only entries of fluid connections mean anything.
    var flows: [FluidFlow] = []

    init(_ topology: Topology, links: [Link], routes: [Int32], seed: UInt64) {
        let regions = topology.regionCount
        self.links = links.map { _ in nil }
        for from in 0..<regions {
            for to in 0..<regions {
                let route = Int(routes[from * regions + to])
                let back = Int(routes[to * regions + from])
                guard route >= 0, back >= 0, links[route].pipe.parameters.fidelity == .fluid else {
                    continue
                }
                let parameters = links[route].pipe.parameters
                self.links[route] = FluidLink(
                    links[route].id,
                    parameters,
                    roundTrip: parameters.propagation + links[back].pipe.parameters.propagation,
                    entity: links[route].origin.entity,
                    seed: seed
                )
            }
        }
    }
}

extension Network {
    /// Whether a connection over these links is a fluid: both ways must be.
    func isFluid(_ forward: Int32, _ backward: Int32) -> Bool {
        forward >= 0 && backward >= 0 && fluid.links[Int(forward)] != nil
            && fluid.links[Int(backward)] != nil
    }

    /// Whether the connection is simulated as a fluid.
    @inline(__always)
    public func isFluid(_ connection: ConnectionID) -> Bool {
        let slot = Int(connection.slot)
        return slot < connections.count && connections[slot].carrier == .fluid
    }

    private func route(of connection: ConnectionID, _ side: ConnectionSide) -> Int {
        let record = connections[Int(connection.slot)]
        return Int(side == .opener ? record.forward : record.backward)
    }

    // MARK: - Calls

    mutating func openFluid(
        _ connection: ConnectionID,
        _ options: StreamOptions,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let forth = route(of: connection, .opener)
        let back = route(of: connection, .acceptor)
        let there = fluid.links[forth]!.propagation
        let home = fluid.links[back]!.propagation
        for side in ConnectionSide.allCases {
            let index = sideIndex(connection.slot, side)
            let flow = FluidFlow(
                connection: connection,
                side: side,
                options: options,
                parameters: parameters,
                roundTrip: there + home,
                returnTime: side == .opener ? home : there
            )
            while fluid.flows.count <= index { fluid.flows.append(flow) }
            fluid.flows[index] = flow
        }
        let waiting = fluid.links[forth]!.queueDelay + fluid.links[back]!.queueDelay
        let answer = now + there + home + waiting
        fluid.flows[sideIndex(connection.slot, .opener)].openDue = answer
        fluid.flows[sideIndex(connection.slot, .acceptor)].openDue = answer + there
        activate(connection, .opener, at: now, queue: &queue)
        activate(connection, .acceptor, at: now, queue: &queue)
    }

    mutating func writeFluid(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ bytes: Bytes,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(connection.slot, side)
        guard fluid.flows[index].life != .ended else { return }
        precondition(
            bytes.count <= fluid.flows[index].knownCredit && !fluid.flows[index].isFinishing,
            "\(bytes.count) bytes written with a credit of \(fluid.flows[index].knownCredit)"
        )
        buffers[index].append(bytes)
        fluid.flows[index].knownCredit -= bytes.count
        fluid.flows[index].written += Int64(bytes.count)
        activate(connection, side, at: now, queue: &queue)
    }

    mutating func grantFluid(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ count: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(connection.slot, side.other)
        fluid.flows[index].limit += Int64(count)
        activate(connection, side.other, at: now, queue: &queue)
    }

    mutating func finishFluid(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(connection.slot, side)
        guard fluid.flows[index].life != .ended, !fluid.flows[index].isFinishing else { return }
        let link = fluid.links[route(of: connection, side)]!
        fluid.flows[index].isFinishing = true
        fluid.flows[index].finishArrival = now + link.queueDelay + link.propagation
        activate(connection, side, at: now, queue: &queue)
    }

    /// Ends a side; its peer learns it one way later, unless it is `silent`.
    mutating func endFluid(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ reason: StreamResetReason,
        silently: Bool = false,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(connection.slot, side)
        guard fluid.flows[index].life != .ended else { return }
        let link = fluid.links[route(of: connection, side)]!
        end(index)
        let peer = sideIndex(connection.slot, side.other)
        if !silently, fluid.flows[peer].life != .ended {
            fluid.flows[peer].resetDue = now + link.queueDelay + link.propagation
            fluid.flows[peer].resetReason = reason
            activate(connection, side.other, at: now, queue: &queue)
        }
        releaseFluidWhenOver(connection.slot)
    }

    /// What the side still had to send is forgotten, except what is on its way.
    private mutating func end(_ index: Int) {
        fluid.flows[index].life = .ended
        fluid.flows[index].openDue = .distantFuture
        fluid.flows[index].resetDue = .distantFuture
    }

    mutating func dropFluidNode(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        silently: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        if silently {
            // The peer finds out by itself, as nothing is heard any more.
            activate(connection, side.other, at: now, queue: &queue)
            fluid.flows[sideIndex(connection.slot, side.other)].blockedSince = now
        }
        endFluid(connection, side, .refused, silently: silently, at: now, queue: &queue)
    }

    // MARK: - Ticks

    /// Lets a flow take part in its link's ticks.
    private mutating func activate(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(connection.slot, side)
        let route = route(of: connection, side)
        if !fluid.flows[index].isListed {
            fluid.flows[index].isListed = true
            fluid.links[route]!.active.append(index)
        }
        guard !fluid.links[route]!.isTicking else { return }
        fluid.links[route]!.isTicking = true
        fluid.links[route]!.lastTick = now
        scheduleTick(route, at: now, queue: &queue)
    }

    private mutating func scheduleTick(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        _ = queue.schedule(
            .network(.tick(link: LinkID(UInt32(route)))),
            at: now + fluid.links[route]!.tick,
            from: &fluid.links[route]!.origin
        )
    }

    /// A fluid link moves on.
    mutating func tick(
        _ id: LinkID,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let route = Int(id.rawValue)
        let length = now - fluid.links[route]!.lastTick
        fluid.links[route]!.lastTick = now
        // Flows that are added meanwhile wait for the next tick.
        let count = fluid.links[route]!.active.count
        events &+= UInt64(count)
        let delay = fluid.links[route]!.queueDelay
        for place in 0..<count {
            let index = fluid.links[route]!.active[place]
            deliver(index, at: now, queue: &queue)
            fluid.flows[index].hear(at: now, queueDelay: delay)
            checkWay(index, route, at: now, queue: &queue)
        }
        if fluid.links[route]!.isUp {
            fluid.links[route]!.carry(length, at: now, &fluid.flows)
        }
        for place in 0..<count {
            inform(fluid.links[route]!.active[place], at: now)
        }
        settle(route, at: now, queue: &queue)
    }

    /// What arrived in order goes to the peer's application.
    private mutating func deliver(
        _ index: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let connection = fluid.flows[index].connection
        let side = fluid.flows[index].side
        let peer = sideIndex(connection.slot, side.other)
        let end = fluid.flows[index].arrive(at: now)
        let begin = fluid.flows[index].delivered
        let listens = fluid.flows[peer].life == .open
        if end > begin {
            fluid.flows[index].delivered = end
            let node = Int(connections[Int(connection.slot)].node(side.other).rawValue)
            nodes[node].chain.combine(now.nanoseconds)
            nodes[node].chain.combine(end)
            if listens {
                fluid.flows[peer].statistics.bytesReceived = end
                buffers[index].deliver(from: begin, to: end) { bytes in
                    outputs.append(.readable(connection, side.other, bytes))
                }
            }
        }
        if fluid.flows[index].isFinishing, !fluid.flows[index].hasFinished,
            end == fluid.flows[index].written, now >= fluid.flows[index].finishArrival
        {
            fluid.flows[index].hasFinished = true
            if listens { outputs.append(.finished(connection, side.other)) }
        }
        notify(index, at: now)
    }

    /// The side itself is told that it is open, or why it ended.
    private mutating func notify(_ index: Int, at now: Instant) {
        let connection = fluid.flows[index].connection
        let side = fluid.flows[index].side
        if fluid.flows[index].openDue <= now, fluid.flows[index].blockedSince == nil {
            fluid.flows[index].openDue = .distantFuture
            let acceptor = connections[Int(connection.slot)].node(.acceptor)
            if nodes[Int(acceptor.rawValue)].life == .refusing {
                end(index)
                if side == .opener { outputs.append(.reset(connection, side, .refused)) }
                return
            }
            fluid.flows[index].life = .open
            fluid.flows[index].knownCredit = fluid.flows[index].sendCapacity
            let credit = fluid.flows[index].knownCredit
            outputs.append(.opened(connection, side, credit: credit))
        }
        if fluid.flows[index].resetDue <= now {
            let wasOpen = fluid.flows[index].life == .open || side == .opener
            end(index)
            if wasOpen {
                outputs.append(.reset(connection, side, fluid.flows[index].resetReason))
            }
        }
    }

    /// A way that is cut stops the flow and, after the endpoints' patience, ends its side.
    private mutating func checkWay(
        _ index: Int,
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let connection = fluid.flows[index].connection
        let side = fluid.flows[index].side
        guard fluid.flows[index].life != .ended else { return }
        let record = connections[Int(connection.slot)]
        let peer = record.node(side.other)
        let isCut =
            !fluid.links[route]!.isUp || nodes[Int(peer.rawValue)].life == .dark
            || !passesRules(from: record.node(side), to: peer)
            || !passesRules(from: peer, to: record.node(side))
            || fluid.flows[sideIndex(connection.slot, side.other)].life == .ended
                && fluid.flows[index].resetDue == .distantFuture
        guard isCut else {
            if fluid.flows[index].blockedSince != nil { fluid.flows[index].resume() }
            return
        }
        guard let since = fluid.flows[index].blockedSince else {
            fluid.flows[index].blockedSince = now
            return
        }
        let waits = fluid.flows[index].written > fluid.flows[index].acknowledged
        let silence = waits ? Interval.zero : parameters.keepAlive ?? .zero
        guard now - since >= parameters.patience + silence else { return }
        let wasShown = fluid.flows[index].life == .open || side == .opener
        end(index)
        if wasShown { outputs.append(.reset(connection, side, .timedOut)) }
    }

    private mutating func inform(_ index: Int, at now: Instant) {
        let connection = fluid.flows[index].connection
        let side = fluid.flows[index].side
        buffers[index].release(
            upTo: min(fluid.flows[index].acknowledged, fluid.flows[index].delivered)
        )
        guard fluid.flows[index].life == .open else { return }
        if let credit = fluid.flows[index].freshCredit(parameters) {
            outputs.append(.writable(connection, side, credit: credit))
        }
        if let sample = fluid.flows[index].pathSample(at: now) {
            outputs.append(.path(connection, side, sample))
        }
    }

    /// Idle flows leave the ticks; connections that are over leave altogether.
    private mutating func settle(
        _ route: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        var active = fluid.links[route]!.active
        var over: [UInt32] = []
        active.removeAll { index in
            if fluid.flows[index].isActive { return false }
            fluid.flows[index].isListed = false
            over.append(fluid.flows[index].connection.slot)
            return true
        }
        fluid.links[route]!.active = active
        for slot in over { releaseFluidWhenOver(slot) }
        if active.isEmpty {
            fluid.links[route]!.isTicking = false
        } else {
            scheduleTick(route, at: now, queue: &queue)
        }
    }

    /// Frees the slot once neither side has anything left to do.
    private mutating func releaseFluidWhenOver(_ slot: UInt32) {
        let first = sideIndex(slot, .opener)
        guard connections[Int(slot)].isUsed, connections[Int(slot)].carrier == .fluid else {
            return
        }
        for index in first...first + 1 {
            let flow = fluid.flows[index]
            let isOver = flow.life == .ended || flow.hasFinished
            guard isOver, !flow.isListed else { return }
        }
        release(slot)
    }
}
