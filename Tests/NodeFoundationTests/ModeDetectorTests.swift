import Determinism
import Effects
import NodeFoundation
import Testing
import Units

// Goal: the kind of network is right in more than 95 of 100 noisy measurements of the plans'
// profiles, and noise at a threshold does not make it flap. Method: measurements drawn from seeds,
// with jitter, loss and noise of the rate; a long series at each threshold.
@Suite struct ModeDetectorTests {
    struct Profile: Sendable, CustomTestStringConvertible {
        var name: String
        /// One way, as the plans give them; milliseconds and per cent.
        var delay: Double
        var jitter: Double
        var loss: Double
        var rate: Double
        var mode: NetworkMode
        var hasRDMA = false

        var testDescription: String { name }
    }

    static let profiles = [
        Profile(
            name: "datacenter",
            delay: 0.1,
            jitter: 0.02,
            loss: 0,
            rate: 25_000,
            mode: .datacenter
        ),
        Profile(
            name: "datacenter with RDMA",
            delay: 0.05,
            jitter: 0.01,
            loss: 0,
            rate: 9_000,
            mode: .datacenter,
            hasRDMA: true
        ),
        Profile(name: "lan", delay: 1, jitter: 0.1, loss: 0.01, rate: 1_000, mode: .hybrid),
        Profile(name: "wan-low", delay: 20, jitter: 5, loss: 0.1, rate: 1_000, mode: .hybrid),
        Profile(name: "wan-high", delay: 100, jitter: 20, loss: 0.5, rate: 100, mode: .internet),
        Profile(
            name: "transcontinental",
            delay: 150,
            jitter: 30,
            loss: 1,
            rate: 100,
            mode: .internet
        ),
        Profile(name: "satellite", delay: 600, jitter: 50, loss: 2, rate: 10, mode: .internet),
        Profile(name: "degraded", delay: 200, jitter: 100, loss: 5, rate: 10, mode: .internet),
        Profile(name: "NY-London", delay: 80, jitter: 10, loss: 0.1, rate: 7_000, mode: .internet),
        Profile(name: "NY-Mumbai", delay: 200, jitter: 20, loss: 0.5, rate: 2_500, mode: .internet),
        Profile(name: "loss", delay: 50, jitter: 10, loss: 5, rate: 10_000, mode: .internet),
        Profile(name: "near and lossy", delay: 5, jitter: 1, loss: 5, rate: 1_000, mode: .internet),
        Profile(name: "constrained", delay: 30, jitter: 5, loss: 0, rate: 100, mode: .internet),
        Profile(name: "recovery", delay: 20, jitter: 3, loss: 0, rate: 10_000, mode: .hybrid),
    ]

    /// What the component's plan would show of a path.
    private func measurement(
        _ profile: Profile,
        _ random: inout SeededRandom
    ) -> PathMeasurement {
        let plan = NetworkEnvironmentComponent.plan
        var roundTrips: [Interval] = []
        var received = 0
        for _ in 0..<plan.trains {
            let noise = profile.jitter * (random.normal() + random.normal())
            let roundTrip = max(profile.delay * 0.5, 2 * profile.delay + noise)
            var back = 0
            for _ in 0..<plan.packetsPerTrain where !random.chance(.percent(profile.loss)) {
                back += 1
            }
            if back > 0 { roundTrips.append(Interval(seconds: roundTrip / 1_000)) }
            received += back
        }
        let rate = profile.rate * (1 + 0.1 * max(-3, min(3, random.normal())))
        return PathMeasurement(
            sent: plan.trains * plan.packetsPerTrain,
            roundTrips: roundTrips,
            received: received,
            rate: BitRate(bitsPerSecond: Int64(rate * 1e6))
        )
    }

    @Test func theFirstMeasurementTellsTheMode() {
        var right = 0
        var wrong: [String] = []
        for profile in ModeDetectorTests.profiles {
            for seed in 0..<200 as Range<UInt64> {
                var random = SeededRandom(stateFrom: seed)
                var detector = ModeDetector(dwell: .seconds(30), hasRDMA: profile.hasRDMA)
                detector.observe(measurement(profile, &random), at: .zero)
                if detector.mode == profile.mode {
                    right += 1
                } else {
                    wrong.append("\(profile.name) seed \(seed): \(detector.reason)")
                }
            }
        }
        let all = ModeDetectorTests.profiles.count * 200
        print("mode detection: \(right) of \(all) right")
        #expect(right * 100 > all * 95, "\(right) of \(all): \(wrong.prefix(10))")
    }

    @Test(arguments: profiles) func aSteadyPathDoesNotChange(_ profile: Profile) {
        var random = SeededRandom(stateFrom: 77)
        var detector = ModeDetector(dwell: .seconds(30), hasRDMA: profile.hasRDMA)
        for round in 0..<1_000 {
            detector.observe(
                measurement(profile, &random),
                at: Instant.zero + .seconds(10) * Int64(round)
            )
        }
        #expect(detector.mode == profile.mode)
        #expect(detector.flaps == 0 && detector.changes <= 1)
    }

    /// Paths exactly at a threshold: nearly three hours in each of 20 seeds.
    @Test(arguments: [
        Profile(name: "1 ms", delay: 0.5, jitter: 0.05, loss: 0, rate: 25_000, mode: .hybrid),
        Profile(name: "10 Gbit/s", delay: 0.1, jitter: 0.01, loss: 0, rate: 10_000, mode: .hybrid),
        Profile(name: "50 ms", delay: 25, jitter: 3, loss: 0, rate: 1_000, mode: .hybrid),
        Profile(name: "1 % of loss", delay: 10, jitter: 1, loss: 1, rate: 1_000, mode: .hybrid),
    ])
    func noiseAtAThresholdDoesNotFlap(_ profile: Profile) {
        var flaps = 0
        for seed in 0..<20 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            var detector = ModeDetector(dwell: .seconds(30), hasRDMA: false)
            for round in 0..<1_000 {
                detector.observe(
                    measurement(profile, &random),
                    at: Instant.zero + .seconds(10) * Int64(round)
                )
            }
            flaps += detector.flaps
        }
        print("flaps at \(profile.name): \(flaps) in 20,000 measurements")
        #expect(flaps <= 4)
    }

    /// Goal: a path that really changes is followed, after the dwell and two measurements, and a
    /// change back is counted. Method: lan and wan-high in turn.
    @Test func aChangedPathIsFollowed() {
        let (lan, wan) = (ModeDetectorTests.profiles[2], ModeDetectorTests.profiles[4])
        var random = SeededRandom(stateFrom: 3)
        var detector = ModeDetector(dwell: .seconds(30), hasRDMA: false)
        var modes: [NetworkMode?] = []
        for round in 0..<30 {
            let profile = (8..<18).contains(round) ? wan : lan
            detector.observe(
                measurement(profile, &random),
                at: Instant.zero + .seconds(10) * Int64(round)
            )
            modes.append(detector.mode)
        }
        #expect(modes[0] == .hybrid && modes[9] == .hybrid && modes[13] == .internet)
        #expect(modes[29] == .hybrid && detector.changes == 2 && detector.flaps == 1)
    }

    @Test func silenceTellsNothing() {
        var detector = ModeDetector(dwell: .zero, hasRDMA: false)
        let silence = PathMeasurement(sent: 160, roundTrips: [], received: 0, rate: nil)
        detector.observe(silence, at: .zero)
        #expect(detector.mode == nil && detector.figures == nil)
    }
}
