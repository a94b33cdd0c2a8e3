public import Machines
public import SimulationKernel
public import Units

extension Network {
    // Calls on a side that has ended do nothing: its machine may not have learned it yet.

    /// Starts a handshake; `opened` or `reset` follows. Both sides use the same options; priority
    /// has no effect, for links serve in order of arrival.
    public mutating func open(
        from opener: NodeID,
        to acceptor: NodeID,
        _ options: StreamOptions,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> ConnectionID {
        open(from: opener, to: acceptor, options, parameters, at: now, queue: &queue)
    }

    /// The same with parameters of its own.
    mutating func open(
        from opener: NodeID,
        to acceptor: NodeID,
        _ options: StreamOptions,
        _ parameters: TCPParameters,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> ConnectionID {
        precondition(
            options.receiveCredit > 0 && options.receiveCredit <= Int(UInt32.max),
            "a receive credit of \(options.receiveCredit) bytes cannot be carried"
        )
        let slot = takeSlot()
        let connection = ConnectionID(
            slot: slot,
            generation: connections[Int(slot)].generation
        )
        connections[Int(slot)].opener = opener
        connections[Int(slot)].acceptor = acceptor
        connections[Int(slot)].forward = route(from: opener, to: acceptor)
        connections[Int(slot)].backward = route(from: acceptor, to: opener)
        let carrier = carrier(of: connections[Int(slot)], options)
        connections[Int(slot)].carrier = carrier
        if carrier != .packets {
            openElsewhere(connection, options, at: now, queue: &queue)
            return connection
        }
        for side in ConnectionSide.allCases {
            endpoints[sideIndex(slot, side)] = TCPEndpoint(
                connection: connection,
                side: side,
                options: options,
                parameters: parameters,
                randomness: randomness(of: side == .opener ? opener : acceptor)
            )
        }
        endpoints[sideIndex(slot, .opener)].open(at: now, into: &effects)
        apply(slot, .opener, at: now, queue: &queue)
        return connection
    }

    private mutating func randomness(of node: NodeID) -> TCPEndpoint.Randomness {
        let index = Int(node.rawValue)
        defer { nodes[index].connections &+= 1 }
        return TCPEndpoint.Randomness(
            seed: seed,
            entity: nodes[index].origin.entity,
            serial: nodes[index].connections
        )
    }

    /// Queues bytes for sending; traps when they exceed the credit last given (which is none before
    /// `opened`) or follow `finish`.
    public mutating func write(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ bytes: Bytes,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard let index = index(connection, side) else { return }
        if connections[Int(connection.slot)].carrier != .packets {
            writeElsewhere(connection, side, bytes, at: now, queue: &queue)
            return
        }
        guard endpoints[index].takesWrites else { return }
        buffers[index].append(bytes)
        endpoints[index].write(bytes.count, at: now, into: &effects)
        apply(connection.slot, side, at: now, queue: &queue)
    }

    /// The bytes that a side may write now, as its outputs so far have told; zero once it has ended.
    public func credit(_ connection: ConnectionID, _ side: ConnectionSide) -> Int {
        guard let index = index(connection, side) else { return 0 }
        if connections[Int(connection.slot)].carrier != .packets {
            return creditElsewhere(connection, side)
        }
        return endpoints[index].takesWrites ? endpoints[index].knownCredit : 0
    }

    /// Lets the peer send `count` bytes more.
    public mutating func grant(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        bytes count: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard let index = index(connection, side) else { return }
        if connections[Int(connection.slot)].carrier != .packets {
            grantElsewhere(connection, side, count, at: now, queue: &queue)
            return
        }
        endpoints[index].grant(count, at: now, into: &effects)
        // Nearly all grants only move a limit; an update is the one effect they can have.
        if !effects.packets.isEmpty { apply(connection.slot, side, at: now, queue: &queue) }
    }

    /// Ends this side's sending after everything written.
    public mutating func finish(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard let index = index(connection, side) else { return }
        if connections[Int(connection.slot)].carrier != .packets {
            finishElsewhere(connection, side, at: now, queue: &queue)
            return
        }
        endpoints[index].finish(at: now, into: &effects)
        apply(connection.slot, side, at: now, queue: &queue)
    }

    /// Ends both directions at once. This side gets no output for it.
    public mutating func reset(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard let index = index(connection, side) else { return }
        if connections[Int(connection.slot)].carrier != .packets {
            resetElsewhere(connection, side, at: now, queue: &queue)
            return
        }
        endpoints[index].abort(refusing: false, at: now, into: &effects)
        apply(connection.slot, side, at: now, queue: &queue)
    }

    /// The node that lives on a side; `nil` once both sides have ended.
    public func node(_ connection: ConnectionID, _ side: ConnectionSide) -> NodeID? {
        index(connection, side) == nil ? nil : connections[Int(connection.slot)].node(side)
    }

    /// `nil` once both sides have ended.
    public func statistics(
        _ connection: ConnectionID,
        _ side: ConnectionSide
    ) -> ConnectionStatistics? {
        guard let index = index(connection, side) else { return nil }
        if connections[Int(connection.slot)].carrier != .packets {
            return statisticsElsewhere(connection, side)
        }
        let endpoint = endpoints[index]
        var result = endpoint.statistics
        result.congestionWindow = endpoint.congestion.window
        result.slowStartThreshold = endpoint.congestion.threshold
        result.smoothedRoundTrip = endpoint.roundTrip.smoothed
        result.smallestRoundTrip = endpoint.roundTrip.smallestOrZero
        result.roundTripSum = endpoint.roundTrip.sum
        result.roundTripSamples = endpoint.roundTrip.samples
        return result
    }

    /// The node's process dies, and its connections without any output to itself. Loud: peers get
    /// resets, and new connections are refused. Silent (power loss): nothing is sent or answered.
    public mutating func dropNode(
        _ node: NodeID,
        silently: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        nodes[Int(node.rawValue)].life = silently ? .dark : .refusing
        for slot in 0..<UInt32(connections.count) where connections[Int(slot)].isUsed {
            for side in ConnectionSide.allCases
            where connections[Int(slot)].isUsed && connections[Int(slot)].node(side) == node {
                let index = sideIndex(slot, side)
                if connections[Int(slot)].carrier == .rdma { continue }
                if connections[Int(slot)].carrier == .fluid {
                    let generation = connections[Int(slot)].generation
                    let connection = ConnectionID(slot: slot, generation: generation)
                    dropFluidNode(connection, side, silently: silently, at: now, queue: &queue)
                    continue
                }
                endpoints[index].crash(silently: silently, at: now, into: &effects)
                apply(slot, side, at: now, queue: &queue)
            }
        }
        dropRDMANode(node, silently: silently, at: now, queue: &queue)
    }

    /// The node takes datagrams and connections again; packets of its earlier connections are
    /// answered by resets.
    public mutating func restoreNode(_ node: NodeID) {
        nodes[Int(node.rawValue)].life = .running
    }

    // MARK: - Inside

    /// A timer event; most find nothing due.
    mutating func wake(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ timer: ConnectionTimer,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard let index = index(connection, side) else { return }
        endpoints[index].wake(timer, at: now, into: &effects)
        apply(connection.slot, side, at: now, queue: &queue)
    }

    /// Turns what an endpoint wants into packets, events and outputs.
    mutating func apply(
        _ slot: UInt32,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = sideIndex(slot, side)
        let connection = ConnectionID(
            slot: slot,
            generation: connections[Int(slot)].generation
        )
        sendEffects(at: now, queue: &queue)
        scheduleTimers(connection, side, queue: &queue)
        if effects.acknowledged >= 0 { buffers[index].release(upTo: effects.acknowledged) }
        if effects.opened {
            outputs.append(.opened(connection, side, credit: effects.credit))
            effects.credit = -1
        }
        if effects.deliveredTo > effects.deliveredFrom {
            buffers[sideIndex(slot, side.other)]
                .deliver(from: effects.deliveredFrom, to: effects.deliveredTo) { bytes in
                    outputs.append(.readable(connection, side, bytes))
                }
        }
        if effects.finished { outputs.append(.finished(connection, side)) }
        if effects.credit >= 0 {
            outputs.append(.writable(connection, side, credit: effects.credit))
        }
        if let sample = effects.path { outputs.append(.path(connection, side, sample)) }
        if let reason = effects.resetReason {
            outputs.append(.reset(connection, side, reason))
        }
        if effects.mayBeOver { releaseWhenOver(slot) }
        effects.clear()
    }

    private mutating func scheduleTimers(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let node = Int(connections[Int(connection.slot)].node(side).rawValue)
        if effects.retransmissionWake != .distantFuture {
            _ = queue.schedule(
                .network(.timer(connection, side, .retransmission)),
                at: effects.retransmissionWake,
                from: &nodes[node].origin
            )
        }
        if effects.acknowledgementWake != .distantFuture {
            _ = queue.schedule(
                .network(.timer(connection, side, .delayedAcknowledgement)),
                at: effects.acknowledgementWake,
                from: &nodes[node].origin
            )
        }
        if effects.pacingWake != .distantFuture {
            _ = queue.schedule(
                .network(.timer(connection, side, .pacing)),
                at: effects.pacingWake,
                from: &nodes[node].origin
            )
        }
        if effects.keepAliveWake != .distantFuture {
            _ = queue.schedule(
                .network(.timer(connection, side, .keepAlive)),
                at: effects.keepAliveWake,
                from: &nodes[node].origin
            )
        }
    }

    @inline(__always)
    private func index(_ connection: ConnectionID, _ side: ConnectionSide) -> Int? {
        let slot = Int(connection.slot)
        guard slot < connections.count, connections[slot].isUsed,
            connections[slot].generation == connection.generation
        else { return nil }
        return sideIndex(connection.slot, side)
    }

    private mutating func takeSlot() -> UInt32 {
        if let slot = freeSlots.popLast() {
            connections[Int(slot)].isUsed = true
            return slot
        }
        let slot = UInt32(connections.count)
        connections.append(ConnectionRecord())
        connections[Int(slot)].isUsed = true
        for side in ConnectionSide.allCases {
            buffers.append(SendBuffer())
            endpoints.append(
                TCPEndpoint(
                    connection: ConnectionID(slot: slot, generation: 0),
                    side: side,
                    options: StreamOptions(),
                    parameters: parameters
                )
            )
        }
        return slot
    }

    /// Frees the slot once neither side has anything left to do. Bytes in flight stay readable
    /// until then, also those of a side that died.
    @inline(__always)
    private mutating func releaseWhenOver(_ slot: UInt32) {
        let first = sideIndex(slot, .opener)
        guard endpoints[first].isOver, endpoints[first + 1].isOver else { return }
        release(slot)
    }

    mutating func release(_ slot: UInt32) {
        let first = sideIndex(slot, .opener)
        connections[Int(slot)].isUsed = false
        connections[Int(slot)].generation &+= 1
        buffers[first].removeAll()
        buffers[first + 1].removeAll()
        endpoints[first].forget()
        endpoints[first + 1].forget()
        freeSlots.append(slot)
    }
}
