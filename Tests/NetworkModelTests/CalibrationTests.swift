import LinkModel
import NetworkModel
import Testing
import Units

/// Goal: the model gives what Linux 6.18 gave on the same link (`docs/tcp-calibration.md`), for
/// CUBIC over nine cells of loss and streams. Method: ten seeds a cell, mean goodput against the
/// measured mean within the cell's tolerance; mean round-trip time within 5 %.
@Suite struct CalibrationTests {
    struct Cell: Sendable, CustomTestStringConvertible {
        let loss: LossModel
        let streams: Int
        /// Measured on Linux: goodput in Mbit/s, round-trip time in ms.
        let goodput: Double
        let roundTrip: Double
        let tolerance: Double

        var testDescription: String { "\(loss), \(streams) streams" }
    }

    private static let some = LossModel.bernoulli(.percent(0.1))
    private static let much = LossModel.bernoulli(.percent(1))

    static let cells = [
        Cell(loss: .none, streams: 1, goodput: 95.6, roundTrip: 140, tolerance: 0.03),
        Cell(loss: .none, streams: 8, goodput: 95.6, roundTrip: 143, tolerance: 0.03),
        Cell(loss: .none, streams: 32, goodput: 95.6, roundTrip: 152, tolerance: 0.03),
        Cell(loss: some, streams: 1, goodput: 6.4, roundTrip: 81, tolerance: 0.15),
        Cell(loss: some, streams: 8, goodput: 50.9, roundTrip: 86, tolerance: 0.10),
        Cell(loss: some, streams: 32, goodput: 95.6, roundTrip: 148, tolerance: 0.03),
        Cell(loss: much, streams: 1, goodput: 1.5, roundTrip: 84, tolerance: 0.15),
        Cell(loss: much, streams: 8, goodput: 12.4, roundTrip: 84, tolerance: 0.10),
        Cell(loss: much, streams: 32, goodput: 49.4, roundTrip: 86, tolerance: 0.10),
    ]

    @Test(arguments: cells) func matchesLinux(_ cell: Cell) {
        let results = (1...10).map {
            ReferenceCell.run(loss: cell.loss, streams: cell.streams, seed: UInt64($0))
        }
        let goodput = results.map(\.goodput).reduce(0, +) / 10
        let roundTrip = results.map(\.roundTrip).reduce(0, +) / 10
        let deviation = (goodput - cell.goodput) / cell.goodput
        #expect(abs(deviation) <= cell.tolerance, "\(goodput) Mbit/s, deviation \(deviation)")
        #expect(
            abs(roundTrip - cell.roundTrip) <= 0.05 * cell.roundTrip,
            "\(roundTrip) ms where Linux had \(cell.roundTrip) ms"
        )
    }

    /// Goal: goodput never exceeds what headers leave of the rate. Method: the saturated cell.
    @Test func neverBeyondTheCeiling() {
        let result = ReferenceCell.run(loss: .none, streams: 8, seed: 1)
        // One queue's worth of bytes can fall into the window from before it.
        #expect(result.goodput <= 100.0 * 1448 / 1514 + 0.1)
    }
}
