public import Units

/// What one of several transfers of a node is entitled to.
public struct TransferShare: Hashable, Sendable {
    /// Relative to the other transfers', 1...1,000.
    public var weight: Int
    /// It is not held back below this rate.
    public var least: BitRate?
    /// It never gets more than this rate.
    public var most: BitRate?

    public init(weight: Int = 1, least: BitRate? = nil, most: BitRate? = nil) {
        precondition((1...1_000).contains(weight), "a weight of \(weight)")
        self.weight = weight
        self.least = least
        self.most = most
    }

    /// Payload bytes of a chunk, at most `size`. A chunk goes at once, so it is no more than an eighth of a
    /// second of `most`, but 1 KiB at least.
    public func chunkSize(atMost size: Int) -> Int {
        guard let most else { return size }
        return min(size, max(1 << 10, Int(min(most.bitsPerSecond, 1 << 40) / 64)))
    }
}

/// Divides what a node gets across among its transfers, by their weights: max–min fair by measured
/// rates of acknowledged bytes.
///
/// Nobody knows the capacity, or whether transfers share a bottleneck at all, so only what is
/// observed counts. What all got together in the last period is divided by weight. A transfer that
/// got clearly less than its part, though it had more to send, is held up elsewhere or by the others;
/// what got more than its part is limited to it, and a tenth more so that the whole can grow. What a
/// transfer cannot use for `patience` periods, although the others were limited, goes to the others
/// (water-filling; Bertsekas and Gallager, "Data Networks", section 6.5.2).
public struct RateShares: Sendable {
    /// One transfer in one period.
    public struct Usage: Hashable, Sendable {
        public var share: TransferShare
        /// Acknowledged.
        public var rate: BitRate
        /// It had more to send than it got across.
        public var isHungry: Bool
        /// Periods running in which it used clearly less than its part.
        public var unusedPeriods: Int

        public init(share: TransferShare, rate: BitRate, isHungry: Bool, unusedPeriods: Int) {
            self.share = share
            self.rate = rate
            self.isHungry = isHungry
            self.unusedPeriods = unusedPeriods
        }
    }

    /// What follows for one transfer.
    public struct Limit: Hashable, Sendable {
        /// `nil` for none.
        public var rate: BitRate?
        public var unusedPeriods: Int
    }

    /// How long the others are held back for a transfer that does not use its part.
    public static let patience = 6

    /// - Returns: A limit for each usage, in the same order.
    public static func limits(for usages: [Usage]) -> [Limit] {
        let total = usages.reduce(0.0) { $0 + Double($1.rate.bitsPerSecond) }
        var parts = [Double?](repeating: nil, count: usages.count)
        // Transfers that want no more, or cannot get it, keep what they have; the rest is divided.
        for index in usages.indices where isModest(usages[index]) {
            parts[index] = Double(usages[index].rate.bitsPerSecond)
        }
        fill(&parts, usages, total)
        return usages.indices.map { index in
            limit(usages[index], part: parts[index] ?? 0, isAlone: usages.count == 1)
        }
    }

    private static func isModest(_ usage: Usage) -> Bool {
        if !usage.isHungry || hasGivenUp(usage) { return true }
        guard let most = usage.share.most else { return false }
        return Double(usage.rate.bitsPerSecond) > 0.8 * Double(most.bitsPerSecond)
    }

    private static func hasGivenUp(_ usage: Usage) -> Bool { usage.unusedPeriods >= patience }

    private static func fill(_ parts: inout [Double?], _ usages: [Usage], _ total: Double) {
        let equal = total / Double(max(1, usages.reduce(0) { $0 + $1.share.weight }))
        // A modest transfer that already exceeds its part is one of those that share.
        for index in usages.indices {
            if let part = parts[index], part > equal * Double(usages[index].share.weight) {
                parts[index] = nil
            }
        }
        let kept = parts.reduce(0.0) { $0 + ($1 ?? 0) }
        var weights = 0
        for index in usages.indices where parts[index] == nil {
            weights += usages[index].share.weight
        }
        let unit = max(0, total - kept) / Double(max(1, weights))
        for index in usages.indices where parts[index] == nil {
            parts[index] = unit * Double(usages[index].share.weight)
        }
    }

    private static func limit(_ usage: Usage, part: Double, isAlone: Bool) -> Limit {
        let rate = Double(usage.rate.bitsPerSecond)
        let isUnused = hasGivenUp(usage) || usage.isHungry && rate < part * 0.8
        // After some time it is asked again whether it can use its part now.
        let periods = isUnused ? (usage.unusedPeriods + 1) % (5 * patience) : 0
        var limit: Double?
        if !isAlone, part > 0 { limit = max(part * 1.1, rate < part ? part * 1.5 : 0) }
        if let least = usage.share.least, let found = limit {
            limit = max(found, Double(least.bitsPerSecond))
        }
        if let most = usage.share.most {
            limit = min(limit ?? .infinity, Double(most.bitsPerSecond))
        }
        return Limit(
            rate: limit.map { BitRate(bitsPerSecond: max(8_000, Int64(min($0, 1e15)))) },
            unusedPeriods: periods
        )
    }
}
