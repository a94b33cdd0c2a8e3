import FaultInjection
import LinkModel
import NetworkModel
import Scenarios
import SimulatedEnvironment
import Units

/// A fault plan in the words of the simulated world.
extension FaultPlan {
    /// The changes of the world that carry the plan out, in order of time.
    func changes(links: (LinkEnds) -> LinkID?) -> [SimulationPlan.ScheduledFault] {
        timeline.map { change in
            let fault = faults[change.fault]
            let (phase, world): (SimulationPlan.FaultPhase, WorldFault) =
                switch change.kind {
                case .fire: (.fired, fault.effect.firing(links, at: fault.fireAt))
                case .heal: (.healed, fault.effect.healing)
                case .turn:
                    (.changed, fault.effect.turning(change.turn, links, at: fault.fireAt))
                }
            return SimulationPlan.ScheduledFault(
                number: change.fault,
                at: change.time,
                phase: phase,
                change: world
            )
        }
    }
}

extension PlannedFault.Effect {
    fileprivate func firing(_ links: (LinkEnds) -> LinkID?, at time: Instant) -> WorldFault {
        switch self {
        case .leader(let aims):
            .aimed(aims.map { AimedFault($0.node, $0.effect.firing(links, at: time)) })
        case .crash(let nodes): .crash(nodes)
        case .pause(let nodes): .pause(nodes)
        case .reboot(let nodes, let losingDisk): .powerFailure(nodes, losingDisk: losingDisk)
        case .crashAtWrite(let node, let write, let progress, let downtime):
            .crashAtWrite(node, WriteCrash(write: write, progress: progress, downtime: downtime))
        case .slow(let nodes, let factor, let step):
            .slow(nodes, Slowness(factor: factor, step: step))
        case .stalls(let nodes, let chance, let range):
            .slow(nodes, Slowness(stalls: chance, of: range))
        case .clock(let nodes, let strike): .clock(nodes, ClockFault(strike))
        case .disk(let nodes, let fault): .disk(nodes, fault)
        case .resetStreams(let nodes): .resetStreams(nodes)
        case .down(let ends): .down(ends.compactMap(links))
        case .delay(let ends, let extra): .delay(ends.compactMap(links), extra)
        case .loss(let ends, let model): .loss(ends.compactMap(links), LossModel(model))
        case .blackHole(let ends, let limit): .blackHole(ends.compactMap(links), limit)
        case .link(let ends, let fault): fault.firing(ends.compactMap(links), at: time)
        case .cut(let cuts): .block(cuts.map { NetworkRule($0, .drop) })
        case .clog(let cuts): .block(cuts.map { NetworkRule($0, .hold) })
        case .boot(let fault, _):
            preconditionFailure("\(fault.kind) in a world of machines was not checked")
        }
    }

    fileprivate var healing: WorldFault {
        switch self {
        case .crash(let nodes), .reboot(let nodes, _): .restart(nodes)
        case .pause(let nodes): .resume(nodes)
        case .crashAtWrite(let node, _, _, _): .disarm(node)
        case .leader(let aims): .aimed(aims.map { AimedFault($0.node, $0.effect.healing) })
        case .down, .delay, .loss, .blackHole, .cut, .clog, .link, .slow, .stalls, .clock, .disk,
            .resetStreams, .boot:
            .heal
        }
    }

    /// What the `turn`th turn, from one, makes of the fault.
    fileprivate func turning(
        _ turn: Int,
        _ links: (LinkEnds) -> LinkID?,
        at time: Instant
    ) -> WorldFault {
        if case .leader(let aims) = self {
            return .aimed(
                aims.map { AimedFault($0.node, $0.effect.turning(turn, links, at: time)) }
            )
        }
        if case .link(let ends, .routeChange(let delay, _)) = self {
            return .turn(into: .delay(ends.compactMap(links), delay))
        }
        return turn.isMultiple(of: 2) ? firing(links, at: time) : .heal
    }
}

extension FaultRule.LinkFault {
    fileprivate func firing(_ links: [LinkID], at time: Instant) -> WorldFault {
        switch self {
        case .jitter(let jitter): .jitter(links, LinkModel.Jitter(jitter))
        case .duplicate(let rate, let correlation):
            .trouble(
                links,
                PacketTrouble(PacketFaults(duplicate: rate), correlation: correlation)
            )
        case .corrupt(let rate, let correlation):
            .trouble(links, PacketTrouble(PacketFaults(corrupt: rate), correlation: correlation))
        case .reorder(let rate, let hold, let correlation):
            .trouble(
                links,
                PacketTrouble(PacketFaults(reorder: rate, hold: hold), correlation: correlation)
            )
        case .bandwidth(.rate(let rate)): .rate(links, .absolute(rate))
        case .bandwidth(.share(let share)): .rate(links, .share(share.value))
        case .trace(let reference, let trace):
            if let trace {
                .rate(links, .trace(FollowedTrace(trace, since: time)))
            } else {
                preconditionFailure("the trace \(reference.name) was not attached")
            }
        case .bufferbloat(let factor): .queue(links, factor: factor)
        case .routeChange(let delay, let outage):
            outage > .zero ? .down(links) : .delay(links, delay)
        case .flap: .down(links)
        }
    }
}

extension ClockFault {
    fileprivate init(_ strike: ClockStrike) {
        switch strike {
        case .offset(let offset): self = .offset(offset)
        case .jump(let step): self = .jump(step)
        case .drift(let gain): self = .drift(nanosecondsPerSecond: gain)
        case .freeze: self = .freeze
        }
    }
}

extension NetworkRule {
    fileprivate init(_ cut: PlannedFault.Cut, _ verdict: RuleVerdict) {
        self.init(from: NodeSet(cut.from), to: NodeSet(cut.to), verdict: verdict)
    }
}
