import Determinism
import Units

/// Draws what faults do to packets on a link. Its random streams are its own, so that a fault
/// shifts no draw of the link itself.
struct ExtraFaults: Sendable {
    private var trouble = PacketTrouble.none
    private var jitter = Jitter.none
    private var duplication: LossProcess
    private var corruption: LossProcess
    private var reordering: LossProcess
    private var delays: SeededRandom

    /// What befalls one packet.
    struct Strike {
        var delay = Interval.zero
        var copies = false
        var isHeld = false
    }

    init(entity: EntityID, seed: UInt64) {
        func process(_ purpose: StaticString) -> LossProcess {
            LossProcess(.none, random: SeededRandom(seed: seed, entity: entity, purpose: purpose))
        }
        duplication = process("extra duplication")
        corruption = process("extra corruption")
        reordering = process("extra reordering")
        delays = SeededRandom(seed: seed, entity: entity, purpose: "extra jitter")
    }

    mutating func use(_ newTrouble: PacketTrouble, jitter newJitter: Jitter) {
        func model(_ rate: Ratio) -> LossModel {
            rate > .zero ? .correlated(rate: rate, correlation: newTrouble.correlation) : .none
        }
        trouble = newTrouble
        jitter = newJitter
        duplication.use(model(trouble.faults.duplicate))
        corruption.use(model(trouble.faults.corrupt))
        reordering.use(model(trouble.faults.reorder))
    }

    @inline(never)
    mutating func strike(
        _ flags: inout PassageFlags,
        _ fragments: Int,
        at now: Instant,
        counters: inout LinkCounters
    ) -> Strike {
        var strike = Strike()
        if jitter.distribution != .none { strike.delay = jitter.draw(&delays) }
        strike.copies = duplication.next(at: now, packetTime: .zero)
        if strike.copies {
            flags.insert(.hasCopy)
            counters.duplicated &+= 1
        }
        for _ in 0..<fragments where corruption.next(at: now, packetTime: .zero) {
            if !flags.contains(.corrupted) { counters.corrupted &+= 1 }
            flags.insert(.corrupted)
        }
        strike.isHeld = reordering.next(at: now, packetTime: .zero)
        if strike.isHeld {
            strike.delay += trouble.faults.hold
            counters.reordered &+= 1
        }
        return strike
    }
}

extension Jitter {
    /// The delay of one packet; with ``Distribution/none`` nothing is drawn.
    func draw(_ random: inout SeededRandom) -> Interval {
        let scale = Double(scale.nanoseconds)
        let drawn: Double
        switch distribution {
        case .none: return .zero
        case .uniform: drawn = scale * random.unit()
        case .normal: drawn = scale * random.normal().magnitude
        case .lognormal:
            drawn = scale * DeterministicMath.exp(shape * random.normal())
        case .pareto:
            drawn = scale * (DeterministicMath.pow(1 - random.unit(), -1 / shape) - 1)
        }
        return Interval(nanoseconds: Int64(min(drawn, Double(limit.nanoseconds))))
    }
}
