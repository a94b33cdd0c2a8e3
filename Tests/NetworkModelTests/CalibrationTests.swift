import LinkModel
import Machines
import NetworkModel
import Testing
import Units

/// Goal: the model gives what Linux 6.18 gave on the same link (`docs/tcp-calibration.md`), for CUBIC
/// and BBR over nine cells each of loss and streams. Method: ten seeds a cell for CUBIC, four for
/// BBR, whose runs differ less; mean goodput against the measured mean within the cell's tolerance,
/// mean round-trip time within 5 %; with several BBR streams also queue drops and Jain's index.
@Suite struct CalibrationTests {
    struct Cell: Sendable, CustomTestStringConvertible {
        let control: CongestionControl
        let loss: LossModel
        let streams: Int
        /// Measured on Linux: goodput in Mbit/s, round-trip time in ms.
        let goodput: Double
        let roundTrip: Double
        let tolerance: Double
        /// Measured on Linux: share of packets dropped by the queue, and Jain's index.
        var drops: Double?
        var fairness: Double?

        var testDescription: String { "\(control.rawValue), \(loss), \(streams) streams" }
    }

    private static let some = LossModel.bernoulli(.percent(0.1))
    private static let much = LossModel.bernoulli(.percent(1))

    private static func cubic(
        _ loss: LossModel,
        _ streams: Int,
        _ goodput: Double,
        _ roundTrip: Double,
        within tolerance: Double
    ) -> Cell {
        Cell(
            control: .cubic,
            loss: loss,
            streams: streams,
            goodput: goodput,
            roundTrip: roundTrip,
            tolerance: tolerance
        )
    }

    private static func bbr(
        _ loss: LossModel,
        _ streams: Int,
        _ goodput: Double,
        _ roundTrip: Double,
        drops: Double? = nil,
        fairness: Double? = nil
    ) -> Cell {
        Cell(
            control: .bbr,
            loss: loss,
            streams: streams,
            goodput: goodput,
            roundTrip: roundTrip,
            tolerance: 0.03,
            drops: drops,
            fairness: fairness
        )
    }

    static let cells = [
        cubic(.none, 1, 95.6, 140, within: 0.03),
        cubic(.none, 8, 95.6, 143, within: 0.03),
        cubic(.none, 32, 95.6, 152, within: 0.03),
        cubic(some, 1, 6.4, 81, within: 0.15),
        cubic(some, 8, 50.9, 86, within: 0.10),
        cubic(some, 32, 95.6, 148, within: 0.03),
        cubic(much, 1, 1.5, 84, within: 0.15),
        cubic(much, 8, 12.4, 84, within: 0.10),
        cubic(much, 32, 49.4, 86, within: 0.10),
        bbr(.none, 1, 93.8, 87),
        bbr(.none, 8, 93.1, 157, drops: 0.10, fairness: 0.89),
        bbr(.none, 32, 95.4, 158, drops: 0.128, fairness: 0.78),
        bbr(some, 1, 91.9, 86),
        bbr(some, 8, 93.3, 155, drops: 0.089, fairness: 0.88),
        bbr(some, 32, 95.4, 156, drops: 0.13, fairness: 0.68),
        bbr(much, 1, 90.2, 85),
        bbr(much, 8, 92.8, 155, drops: 0.092, fairness: 0.91),
        bbr(much, 32, 94.4, 156, drops: 0.124, fairness: 0.77),
    ]

    @Test(arguments: cells) func matchesLinux(_ cell: Cell) {
        let seeds = cell.control == .bbr ? 4 : 10
        let results = (1...seeds).map {
            ReferenceCell.run(
                loss: cell.loss,
                streams: cell.streams,
                control: cell.control,
                seed: UInt64($0)
            )
        }
        func mean(_ value: (ReferenceCell.Result) -> Double) -> Double {
            results.map(value).reduce(0, +) / Double(seeds)
        }
        let goodput = mean(\.goodput)
        let roundTrip = mean(\.roundTrip)
        let deviation = (goodput - cell.goodput) / cell.goodput
        #expect(abs(deviation) <= cell.tolerance, "\(goodput) Mbit/s, deviation \(deviation)")
        #expect(
            abs(roundTrip - cell.roundTrip) <= 0.05 * cell.roundTrip,
            "\(roundTrip) ms where Linux had \(cell.roundTrip) ms"
        )
        if let drops = cell.drops {
            let modelled = mean(\.queueDrops)
            #expect(abs(modelled - drops) <= 0.02, "\(modelled) dropped where Linux had \(drops)")
        }
        if let fairness = cell.fairness {
            let modelled = mean(\.fairness)
            #expect(
                abs(modelled - fairness) <= 0.15,
                "Jain's index \(modelled) where Linux had \(fairness)"
            )
        }
    }

    /// Goal: goodput never exceeds what headers leave of the rate. Method: the saturated cell.
    @Test func neverBeyondTheCeiling() {
        let result = ReferenceCell.run(loss: .none, streams: 8, seed: 1)
        // One queue's worth of bytes can fall into the window from before it.
        #expect(result.goodput <= 100.0 * 1448 / 1514 + 0.1)
    }
}
