import Foundation

/// Wilcoxon's signed-rank test (1945) with the Hodges–Lehmann shift (1963).
///
/// Zero differences are dropped (Wilcoxon's own treatment) and ties share their mean rank. Up to
/// ``exactLimit`` differences the null distribution is exact, conditional on the ties; above, it is
/// normal with the tie correction.
public struct WilcoxonSignedRank: Hashable, Sendable {
    /// The sum of the ranks of the positive differences.
    public let statistic: Double
    /// The number of non-zero differences.
    public let count: Int
    /// Two-sided: how likely a statistic at least as extreme is when the differences are symmetric
    /// around zero. One without non-zero differences.
    public let probability: Double
    /// The median of the Walsh averages of all differences, zeros included; zero without any.
    public let shift: Double

    public static let exactLimit = 50

    private let walshAverages: [Double]

    public init(_ differences: [Double]) {
        let nonZero = differences.filter { $0 != 0 }
        count = nonZero.count
        let ranks = WilcoxonSignedRank.doubledRanks(nonZero.map { abs($0) })
        var positive = 0
        for index in nonZero.indices where nonZero[index] > 0 {
            positive += ranks[index]
        }
        statistic = Double(positive) / 2
        probability =
            count <= WilcoxonSignedRank.exactLimit
            ? WilcoxonSignedRank.exactProbability(positive, ranks)
            : WilcoxonSignedRank.normalProbability(positive, ranks)
        walshAverages = WilcoxonSignedRank.walsh(differences)
        shift = walshAverages.isEmpty ? 0 : Quantile.median(sorted: walshAverages)
    }

    /// The Hodges–Lehmann shift with the interval that inverts the test; infinite on both sides when
    /// there are too few differences for the confidence. `nil` without differences.
    public func shift(confidence: Double) -> Estimate? {
        guard !walshAverages.isEmpty else { return nil }
        // k(k+1)/2 Walsh averages come from k differences.
        let total = walshAverages.count
        let differences = Int((Double(8 * total + 1).squareRoot() - 1) / 2)
        let constant = walshAverages.first == walshAverages.last
        let skipped = WilcoxonSignedRank.walshSkip(differences, alpha: 1 - confidence)
        let low = skipped.map { walshAverages[$0] } ?? -.infinity
        let high = skipped.map { walshAverages[total - 1 - $0] } ?? .infinity
        return Estimate(
            value: shift,
            low: constant && differences > 1 ? shift : low,
            high: constant && differences > 1 ? shift : high,
            confidence: confidence,
            count: differences,
            isDeterministic: constant && differences > 1
        )
    }

    /// Twice the mid-ranks, which are whole numbers even with ties.
    private static func doubledRanks(_ magnitudes: [Double]) -> [Int] {
        let order = magnitudes.indices.sorted { magnitudes[$0] < magnitudes[$1] }
        var ranks = Array(repeating: 0, count: magnitudes.count)
        var start = 0
        while start < order.count {
            var end = start
            while end + 1 < order.count, magnitudes[order[end + 1]] == magnitudes[order[start]] {
                end += 1
            }
            for position in start...end {
                ranks[order[position]] = start + end + 2
            }
            start = end + 1
        }
        return ranks
    }

    /// The probability of each doubled rank sum when every sign is a fair coin.
    private static func distribution(_ doubledRanks: [Int]) -> [Double] {
        var shares = Array(repeating: 0.0, count: doubledRanks.reduce(0, +) + 1)
        shares[0] = 1
        var reached = 0
        for rank in doubledRanks {
            reached += rank
            for sum in stride(from: reached, through: 0, by: -1) {
                let with = sum >= rank ? shares[sum - rank] : 0
                shares[sum] = (shares[sum] + with) / 2
            }
        }
        return shares
    }

    private static func exactProbability(_ positive: Int, _ ranks: [Int]) -> Double {
        guard !ranks.isEmpty else { return 1 }
        let shares = distribution(ranks)
        let extreme = min(positive, shares.count - 1 - positive)
        let tail = shares[0...extreme].reduce(0, +)
        return min(1, 2 * tail)
    }

    private static func normalProbability(_ positive: Int, _ ranks: [Int]) -> Double {
        // The statistic's variance under the null is the sum of the squared ranks over four, which
        // holds with ties too.
        let squares = ranks.reduce(0.0) { $0 + Double($1) * Double($1) / 4 }
        let mean = Double(ranks.reduce(0, +)) / 4
        let distance = max(0, abs(Double(positive) / 2 - mean) - 0.5)
        return min(1, 2 * Normal.cumulative(-distance / (squares / 4).squareRoot()))
    }

    private static func walsh(_ differences: [Double]) -> [Double] {
        var averages: [Double] = []
        averages.reserveCapacity(differences.count * (differences.count + 1) / 2)
        for first in differences.indices {
            for second in first..<differences.count {
                averages.append((differences[first] + differences[second]) / 2)
            }
        }
        averages.sort()
        return averages
    }

    /// How many of the smallest Walsh averages lie below the interval; `nil` when even all of them
    /// do not reach the confidence.
    private static func walshSkip(_ count: Int, alpha: Double) -> Int? {
        if count <= exactLimit {
            let shares = distribution((1...max(1, count)).map { $0 * 2 })
            var tail = 0.0
            var skipped: Int?
            for sum in 0..<(count * (count + 1) / 2) {
                tail += shares[2 * sum]
                guard tail <= alpha / 2 else { break }
                skipped = sum
            }
            return skipped
        }
        let total = Double(count) * Double(count + 1)
        let deviation = (total * Double(2 * count + 1) / 24).squareRoot()
        let edge = total / 4 - Normal.quantile(1 - alpha / 2) * deviation
        return edge >= 1 ? Int(edge) - 1 : nil
    }
}
