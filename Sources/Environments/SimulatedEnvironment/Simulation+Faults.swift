import Determinism
import LinkModel
public import Machines
import NetworkModel
import SimulationKernel
import Units

/// What faults do to the world.
extension Simulation {
    mutating func carryOut(_ fault: SimulationPlan.ScheduledFault) {
        guard let change = aimed(fault) else { return }
        let hasHappened = apply(change, number: fault.number)
        guard hasHappened, fault.phase != .changed else { return }
        note(fault.phase, of: fault.number)
    }

    /// What the fault does now that it is known who leads; `nil` for nothing.
    private mutating func aimed(_ fault: SimulationPlan.ScheduledFault) -> WorldFault? {
        guard case .aimed(let choices) = fault.change else { return fault.change }
        if fault.phase == .fired {
            var best: (term: UInt64, node: NodeID)?
            for choice in choices {
                guard let term = hosts[Int(choice.node.rawValue)].machine?.leadership,
                    best.map({ $0.term < term }) ?? true
                else { continue }
                best = (term, choice.node)
            }
            struck[fault.number] = best?.node
        }
        guard let victim = struck[fault.number] else { return nil }
        return choices.first { $0.node == victim }?.change
    }

    private mutating func note(_ phase: SimulationPlan.FaultPhase, of number: Int) {
        faultLog.append(
            FaultLogEntry(
                number: number,
                phase: phase,
                time: medium.now,
                victim: struck[number]
            )
        )
    }

    /// - Returns: Whether something happened that the log should tell.
    private mutating func apply(_ change: WorldFault, number: Int) -> Bool {
        switch change {
        case .crash(let nodes):
            for node in nodes { crash(node, number: number) }
        case .restart(let nodes):
            for node in nodes { restart(node, number: number) }
        case .powerFailure(let nodes, let losingDisk):
            for node in nodes {
                crash(node, number: number, silently: true)
                guard losingDisk else { continue }
                medium.eraseDisk(of: Int(node.rawValue))
                observer.observe(incident: .lostDurable, on: node, at: medium.now)
            }
        case .crashAtWrite(let node, let crash):
            medium.nodes[Int(node.rawValue)].armed.append((number, crash))
            return false
        case .disarm(let node):
            medium.nodes[Int(node.rawValue)].armed.removeAll { $0.number == number }
            recover(Int(node.rawValue), number: number)
            return false
        case .pause(let nodes):
            for node in nodes where hosts[Int(node.rawValue)].isRunning {
                medium.nodes[Int(node.rawValue)].pausedBy.append(number)
            }
        case .resume(let nodes):
            for node in nodes { resume(Int(node.rawValue), number: number) }
        case .slow(let nodes, let slowness):
            for node in nodes {
                let draws = SeededRandom(
                    seed: plan.seed,
                    entity: EntityID(node),
                    purpose: "slow steps",
                    incarnation: UInt32(truncatingIfNeeded: number)
                )
                medium.nodes[Int(node.rawValue)].slowBy.append((number, slowness, draws))
            }
        case .clock(let nodes, let fault):
            for node in nodes {
                medium.nodes[Int(node.rawValue)].clock.begin(fault, number: number, at: medium.now)
                medium.moveTimers(on: Int(node.rawValue))
            }
        case .resetStreams(let nodes):
            for node in nodes { resetStreams(of: Int(node.rawValue)) }
        case .down, .delay, .loss, .blackHole, .jitter, .trouble, .rate, .queue:
            linkFaults.begin(change, number: number)
            refresh(change.links)
        case .block(let blocked):
            let ids = blocked.map { medium.network.addRule($0) }
            linkFaults.begin(rules: ids, number: number)
        case .disk(let nodes, let fault):
            for node in nodes { begin(fault, number: number, on: Int(node.rawValue)) }
        case .heal:
            heal(number: number)
        case .aimed: preconditionFailure("fault \(number) is aimed twice")
        case .turn(let next):
            heal(number: number)
            _ = apply(next, number: number)
        }
        return true
    }

    /// Takes back what a fault did, except that nodes are down or paused.
    private mutating func heal(number: Int) {
        healDisks(number: number)
        for index in medium.nodes.indices where medium.nodes[index].isAffected {
            medium.nodes[index].slowBy.removeAll { $0.number == number }
            guard medium.nodes[index].clock.isStruck(by: number) else { continue }
            medium.nodes[index].clock.end(number: number, at: medium.now)
            medium.moveTimers(on: index)
        }
        let ended = linkFaults.end(number: number)
        medium.network.removeRules(ended.rules, at: medium.now, queue: &medium.queue)
        refresh(ended.links)
    }

    /// Gives links the condition that all faults together ask for.
    private mutating func refresh(_ links: [LinkID]) {
        for link in links {
            let own = medium.network.parameters(of: link)
            let condition = linkFaults.condition(of: link, own)
            medium.network.setCondition(link, condition, at: medium.now, queue: &medium.queue)
            let index = Int(link.rawValue)
            let wanted = FaultyRate(condition)
            guard wanted != medium.faultyRates[index] else { continue }
            medium.faultyRates[index] = wanted
            if let trace = condition.trace {
                medium.network.follow(link, trace, at: medium.now, queue: &medium.queue)
            } else {
                let rate = condition.rate ?? own.rate
                medium.network.setRate(link, rate, at: medium.now, queue: &medium.queue)
            }
        }
    }

    // MARK: Nodes

    mutating func crash(
        _ node: NodeID,
        number: Int,
        silently: Bool = false,
        tearing: Bool = false
    ) {
        let index = Int(node.rawValue)
        medium.nodes[index].downBy.append(number)
        guard hosts[index].isRunning else { return }
        keepCoverage(of: index)
        hosts[index].crash()
        medium.crash(node, silently: silently, tearing: tearing)
        observer.observe(incident: .crashed, on: node, at: medium.now)
    }

    mutating func restart(_ node: NodeID, number: Int) {
        let index = Int(node.rawValue)
        medium.nodes[index].downBy.removeAll { $0 == number }
        guard !hosts[index].isRunning, medium.nodes[index].downBy.isEmpty,
            let recovered = recoverRecords(of: index)
        else { return }
        medium.network.restoreNode(node)
        boot(index, recovered: recovered)
    }

    private mutating func resume(_ index: Int, number: Int) {
        guard !medium.nodes[index].pausedBy.isEmpty else { return }
        medium.nodes[index].pausedBy.removeAll { $0 == number }
        deliverHeld(to: index)
    }

    /// Gives a node what waited for it, as far as it can take it now.
    private mutating func deliverHeld(to index: Int) {
        guard !medium.nodes[index].isPaused else { return }
        let held = medium.nodes[index].held
        medium.nodes[index].held = []
        for (position, happening) in held.enumerated() {
            guard !medium.nodes[index].isPaused else {
                medium.nodes[index].held = held[position...] + medium.nodes[index].held
                return
            }
            guard let input = medium.input(for: happening, on: index) else { continue }
            step(input, on: index)
        }
    }

    /// A crash that waited for a write; the batch is under way.
    mutating func strike(number: Int, on index: Int, incarnation: UInt32) {
        guard let position = medium.nodes[index].armed.firstIndex(where: { $0.number == number })
        else { return }
        guard incarnation == medium.nodes[index].incarnation else {
            // The process died otherwise, and its batch with it: the next life's first one will do.
            medium.nodes[index].armed[position].crash.write = 1
            return
        }
        let crash = medium.nodes[index].armed.remove(at: position).crash
        note(.fired, of: number)
        self.crash(NodeID(UInt32(index)), number: number)
        guard let downtime = crash.downtime else { return }
        let event = LocalEvent(
            kind: LocalKind.recovery.rawValue,
            node: UInt32(index),
            first: UInt32(number)
        )
        medium.schedule(event, at: medium.now + downtime, on: index)
    }

    /// Ends a crash during a write; does nothing where there was none.
    mutating func recover(_ index: Int, number: Int) {
        guard medium.nodes[index].downBy.contains(number) else { return }
        note(.healed, of: number)
        restart(NodeID(UInt32(index)), number: number)
    }

    private mutating func resetStreams(of index: Int) {
        for (stream, connection) in medium.connections(of: index) {
            // The machine may have ended it itself when it heard of another one.
            guard medium.nodes[index].connections[stream]?.id == connection.id else { continue }
            medium.nodes[index].connections[stream] = nil
            medium.network.reset(
                connection.id,
                connection.side,
                at: medium.now,
                queue: &medium.queue
            )
            let digest = UInt64(stream.number)
            deliver(.reset(stream, .failed), .reset, digest: digest, to: index)
        }
    }

    // MARK: Clocks and processors

    /// What a node under faults needs before it takes an input.
    @inline(never)
    mutating func prepareStep(on index: Int) {
        setClock(of: index)
        var step = Interval.zero
        for place in medium.nodes[index].slowBy.indices {
            step = step + medium.nodes[index].slowBy[place].slowness.step
            if let stalls = medium.nodes[index].slowBy[place].slowness.stalls,
                medium.nodes[index].slowBy[place].draws.chance(stalls.chance)
            {
                step =
                    step + medium.nodes[index].slowBy[place].draws.interval(in: stalls.range)
            }
        }
        guard step > .zero else { return }
        medium.nodes[index].isBusy = true
        let event = LocalEvent(
            kind: LocalKind.idle.rawValue,
            node: UInt32(index),
            first: 0,
            second: medium.nodes[index].incarnation
        )
        medium.schedule(event, at: medium.now + step, on: index)
    }

    mutating func setClock(of index: Int) {
        hosts[index].clockOffset = medium.nodes[index].clock.reading(at: medium.now) - medium.now
    }

    mutating func becomeIdle(_ index: Int) {
        medium.nodes[index].isBusy = false
        deliverHeld(to: index)
    }
}

// MARK: - Coverage

extension Simulation {
    /// What all machines so far did with biased points and with events that must happen sometimes.
    public var coverage: [BiasedPoints.Coverage] {
        var all = coverageOfPast
        for index in hosts.indices {
            guard let machine = hosts[index].machine else { continue }
            all = all.merged(with: machine.biasedPoints.coverage)
        }
        return all
    }

    /// Keeps the coverage of a machine that is about to die.
    mutating func keepCoverage(of index: Int) {
        guard let machine = hosts[index].machine else { return }
        coverageOfPast = coverageOfPast.merged(with: machine.biasedPoints.coverage)
    }
}

extension SimulatedMedium {
    /// Counts a batch towards the crashes that wait for one.
    mutating func noteWrite(durableAt durable: Instant, on index: Int) {
        for position in nodes[index].armed.indices
        where nodes[index].armed[position].crash.write > 0 {
            nodes[index].armed[position].crash.write -= 1
            let crash = nodes[index].armed[position].crash
            guard crash.write == 0 else { continue }
            let event = LocalEvent(
                kind: LocalKind.strike.rawValue,
                node: UInt32(index),
                first: UInt32(nodes[index].armed[position].number),
                second: nodes[index].incarnation
            )
            schedule(event, at: now + (durable - now).scaled(by: crash.progress), on: index)
        }
    }

    /// What slow processors make of a job's duration; factors multiply.
    func slowed(_ duration: Interval, on index: Int) -> Interval {
        nodes[index].slowBy.reduce(duration) { $0.scaled(by: $1.slowness.factor) }
    }

    /// Schedules all timers anew, because the node's clock is no longer what it was.
    mutating func moveTimers(on index: Int) {
        for slot in nodes[index].timers.occupied {
            let token = nodes[index].timers[slot].token
            // A timer that came due on a node that cannot take it stays due.
            let isHeld = nodes[index].held.contains { happening in
                if case .timer(slot, token) = happening { true } else { false }
            }
            guard !isHeld else { continue }
            queue.cancel(token)
            scheduleTimer(slot, on: index)
        }
    }

    /// What a node has open, in the order of names.
    func connections(of index: Int) -> [(StreamID, NodeState<Program>.Connection)] {
        nodes[index].connections.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Nothing that the node wrote is left.
    mutating func eraseDisk(of index: Int) {
        nodes[index].log.erase()
    }
}
