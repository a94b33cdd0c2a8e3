import Determinism
import Units

/// Draws which packets are lost, one draw a packet whatever the model, except that Gilbert's model
/// draws a second time to leave its bad state.
struct LossProcess {
    private var model: LossModel
    private var random: SeededRandom
    private var isBad = false

    init(_ model: LossModel, random: SeededRandom) {
        self.model = model
        self.random = random
    }

    /// Changes the model and keeps the random stream.
    mutating func use(_ newModel: LossModel) {
        model = newModel
        isBad = false
    }

    /// Whether the next packet is lost.
    @inline(__always)
    mutating func next() -> Bool {
        switch model {
        case .none:
            return false
        case .bernoulli(let rate):
            return random.chance(rate)
        case .gilbert(let rate, let burst):
            // Bad → good with r = 1/burst; good → bad with p so that p/(p+r) is the mean rate. The
            // state moves after each packet, hence a burst of b packets takes b draws of r.
            if isBad {
                isBad = !random.chance(Ratio(1 / max(1, burst)))
            } else {
                let leave = rate.value / (max(1, burst) * max(1e-12, 1 - rate.value))
                isBad = random.chance(Ratio(min(1, leave)))
            }
            return isBad
        }
    }
}
