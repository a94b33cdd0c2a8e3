/// Where the start-up phase of a steady run ends, by MSER-5 (White 1997; White, Cobb and Spratt
/// 2000): the cut that makes the mean of the rest most certain.
public enum WarmUp {
    /// Observations are averaged in batches of this many first.
    public static let batch = 5

    public enum Cut: Hashable, Sendable {
        /// That many observations at the start belong to the warm-up.
        case after(Int)
        /// The best cut would drop more than half: the run was too short to become steady, and no
        /// figure of it may be called steady state.
        case refused
    }

    /// The cut for evenly spaced observations. Fewer than four batches are refused.
    public static func cut(_ observations: [Double]) -> Cut {
        let count = observations.count / batch
        guard count >= 4 else { return .refused }
        let means = (0..<count).map { index in
            observations[(index * batch)..<((index + 1) * batch)].reduce(0, +) / Double(batch)
        }
        // From the end towards the start, one pass (Welford), so that every suffix's sum of squares
        // is known. The last few suffixes are skipped: few batches agree by chance.
        var mean = 0.0
        var squares = 0.0
        var best = (cut: 0, error: Double.infinity)
        for index in means.indices.reversed() {
            let size = Double(count - index)
            let distance = means[index] - mean
            mean += distance / size
            squares += distance * (means[index] - mean)
            guard count - index >= min(5, count) else { continue }
            let error = squares / (size * size)
            // Equal errors keep the earlier cut: nothing is dropped without a reason.
            if error <= best.error {
                best = (index, error)
            }
        }
        return best.cut * 2 > count ? .refused : .after(best.cut * batch)
    }
}
