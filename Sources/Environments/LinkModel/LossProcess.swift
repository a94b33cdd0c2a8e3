public import Determinism
public import Units

/// Draws which packets are lost: one draw a packet, whatever the model.
///
/// Gilbert's chain moves in time, one step each time the link could have sent a full packet. A sender
/// that fills the link meets bursts of the given length; one that waits for a time-out finds the burst
/// over, as it would on a real path, instead of feeding it one retransmission after the other.
/// Correlated loss, in contrast, remembers the last packet, however long ago that was.
public struct LossProcess: Sendable {
    private var model: LossModel
    private var random: SeededRandom
    private var isBad = false
    /// When the chain last moved.
    private var moved = Instant.zero

    public init(_ model: LossModel, random: SeededRandom) {
        self.model = model
        self.random = random
    }

    /// Changes the model and keeps the random stream.
    public mutating func use(_ newModel: LossModel) {
        model = newModel
        isBad = false
    }

    /// Whether a packet that leaves at `now` is lost.
    ///
    /// - Parameter packetTime: how long the link takes to send a full packet.
    @inline(__always)
    public mutating func next(at now: Instant, packetTime: Interval) -> Bool {
        switch model {
        case .none:
            return false
        case .bernoulli(let rate):
            return random.chance(rate)
        case .gilbert(let rate, let burst):
            move(rate: rate.value, burst: max(1, burst), at: now, packetTime: packetTime)
            return isBad
        case .correlated(let rate, let correlation):
            // P(lost | lost) = p + ρ(1 − p) and P(lost | kept) = p(1 − ρ): the mean stays p.
            let memory = isBad ? correlation.value : 0
            isBad = random.chance(Ratio(rate.value * (1 - correlation.value) + memory))
            return isBad
        }
    }

    /// Bad → good with r = 1/burst, good → bad with p such that p/(p+r) is the mean rate; over k
    /// steps the probability of the bad state tends to that rate as (1 − p − r)^k.
    @inline(never)
    private mutating func move(
        rate: Double,
        burst: Double,
        at now: Instant,
        packetTime: Interval
    ) {
        let leave = 1 / burst
        let enter = min(1, rate / (burst * max(1e-12, 1 - rate)))
        let elapsed = (now - moved).nanoseconds / max(1, packetTime.nanoseconds)
        moved = now
        var bad = isBad ? 1 - leave : enter
        if elapsed > 1 {
            let memory = max(0, 1 - leave - enter)
            let share = enter / (enter + leave)
            let faded = elapsed > 10_000 ? 0 : DeterministicMath.pow(memory, Double(elapsed))
            bad = share + ((isBad ? 1 : 0) - share) * faded
        }
        isBad = random.chance(Ratio(bad))
    }
}
