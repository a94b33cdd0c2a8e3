import Foundation
import Measurements
import Testing

/// Goal: a link is inside the envelope exactly when every axis lies between calibrated ends, its
/// congestion control was calibrated, and the profile most like it was close to reality.
/// Method: a calibration of four cells, and profiles on both sides of each of its borders.
@Suite struct CalibrationTests {
    private static func profile(
        megabits: Double = 50,
        milliseconds: Double = 50,
        jitter: Double = 0,
        loss: Double = 0,
        burst: Double = 1,
        products: Double = 1,
        flows: Int = 4,
        congestion: String = "cubic"
    ) -> LinkProfile {
        LinkProfile(
            bitsPerSecond: megabits * 1e6,
            roundTripSeconds: milliseconds / 1000,
            jitterSeconds: jitter / 1000,
            loss: loss,
            lossBurst: burst,
            queueBytes: megabits * 1e6 * milliseconds / 8000 * products,
            flows: flows,
            congestion: congestion
        )
    }

    private static func cell(_ profile: LinkProfile, error: Double = 0.02) -> CalibrationCell {
        CalibrationCell(
            profile: profile,
            simulated: .init(
                throughput: 1e7 * (1 + error),
                roundTripMilliseconds: 52,
                replications: 3
            ),
            real: .init(throughput: 1e7, roundTripMilliseconds: 50, replications: 1),
            delayErrorMilliseconds: 0.1
        )
    }

    private static let calibration = Calibration(
        measuredAt: "2026-11-28T17:00:00Z",
        kernel: "6.18",
        commit: "abc",
        isQuick: false,
        cells: [
            cell(profile(megabits: 10, milliseconds: 20, flows: 1)),
            cell(profile(megabits: 100, milliseconds: 100, loss: 0.01, products: 0.5, flows: 16)),
            cell(profile(megabits: 100, milliseconds: 100, products: 2, flows: 16)),
            cell(profile(megabits: 40, milliseconds: 60)),
            cell(profile(megabits: 100, milliseconds: 20, flows: 16), error: -0.4),
        ]
    )

    @Test func aLinkBetweenTheCellsIsInside() {
        #expect(Self.calibration.obstacle(to: Self.profile()) == nil)
        for cell in Self.calibration.cells.prefix(3) {
            #expect(Self.calibration.obstacle(to: cell.profile) == nil)
        }
    }

    @Test func everyAxisHasTwoBorders() throws {
        let outside = [
            ("rate", Self.profile(megabits: 120)), ("rate", Self.profile(megabits: 9)),
            ("bandwidth-delay product", Self.profile(megabits: 90, milliseconds: 200)),
            ("bandwidth-delay product", Self.profile(megabits: 10, milliseconds: 10)),
            ("loss per product", Self.profile(megabits: 100, milliseconds: 100, loss: 0.02)),
            ("queue", Self.profile(products: 3)), ("queue", Self.profile(products: 0.2)),
            ("flows", Self.profile(flows: 32)), ("jitter", Self.profile(jitter: 5)),
            ("burst of losses", Self.profile(loss: 0.001, burst: 2)),
        ]
        for (axis, profile) in outside {
            let reason = try #require(Self.calibration.obstacle(to: profile), "\(profile)")
            #expect(reason.hasPrefix(axis), "\(reason)")
        }
    }

    @Test func anotherCongestionControlIsOutside() {
        let reason = Self.calibration.obstacle(to: Self.profile(congestion: "bbr"))
        #expect(reason == "bbr was not calibrated")
    }

    @Test func besideABadCellNothingIsBelieved() throws {
        let near = Self.profile(megabits: 95, milliseconds: 21, flows: 15)
        let reason = try #require(Self.calibration.obstacle(to: near))
        #expect(reason.contains("40 %"))
    }

    @Test func filesWithoutVariationMeasuredNone() throws {
        let old = """
            {"bitsPerSecond": 1e7, "congestion": "bbr", "flows": 2, "loss": 0.01,
             "queueBytes": 25000, "roundTripSeconds": 0.02}
            """
        let profile = try JSONDecoder().decode(LinkProfile.self, from: Data(old.utf8))
        #expect(profile.jitterSeconds == 0)
        #expect(profile.lossBurst == 1)
        var varied = Self.profile(jitter: 3, loss: 0.01, burst: 4)
        varied.congestion = "bbr"
        let again = try JSONDecoder().decode(
            LinkProfile.self,
            from: try JSONEncoder().encode(varied)
        )
        #expect(again == varied)
    }

    @Test func errorsAreSharesOfReality() {
        let cell = Self.calibration.cells[0]
        #expect(abs(cell.throughputError - 0.02) < 1e-9)
        #expect(abs(cell.roundTripError - 0.04) < 1e-9)
    }
}
