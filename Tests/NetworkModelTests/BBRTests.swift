import Determinism
import Machines
import NetworkModel
import Testing
import Units

/// BBR's state machine without packets: rounds of acknowledgements over a path of a given rate and
/// round trip, one sample a round unless said otherwise.
@Suite struct BBRTests {
    /// A sender that always has data, and a path that delivers at most `rate` segments a round of
    /// 100 ms.
    private struct Path {
        var bbr: BBR
        var delivery = DeliveryRate()
        var window = 10
        var threshold = Int.max
        var now = Instant.zero + .milliseconds(100)
        var rate: Int
        var lost: Int64 = 0
        var sent: Int64 = 0
        var recovery = TCPEndpoint.Recovery.open

        init(rate: Int, seed: UInt64 = 1) {
            self.rate = rate
            bbr = BBR(
                segment: 1448,
                largestPace: .max,
                window: 10,
                roundTrip: .milliseconds(100),
                delivered: 1,
                random: SeededRandom(
                    seed: seed,
                    entity: EntityID(.stack, 0),
                    purpose: "bbr test"
                ),
                at: now
            )
        }

        /// One round: a window leaves, as much of it as the path carries is acknowledged at its
        /// end, `losses` of the rest are gone.
        mutating func round(losses: Int = 0, limited: Bool = false, roundTrip: Int64 = 100) {
            if limited { delivery.limitByApplication(inFlight: 0) }
            let marks = (0..<max(1, min(window, rate))).map { index in
                delivery.mark(isFirst: index == 0, at: now)
            }
            let sentAt = now
            now += .milliseconds(roundTrip)
            for mark in marks {
                delivery.note(mark, sentAt: sentAt, end: sent)
                sent += 1448
            }
            lost += Int64(losses)
            var sample = delivery.sample(
                newlyDelivered: marks.count,
                newlyLost: losses,
                smallestRoundTrip: .milliseconds(1),
                at: now
            )
            sample.roundTrip = .milliseconds(roundTrip)
            sample.priorInFlight = window
            take(sample, inFlight: 0)
        }

        mutating func take(_ sample: RateSample, inFlight: Int) {
            let path = BBR.Path(
                inFlight: inFlight,
                lost: lost,
                recovery: recovery,
                nextDeparture: now,
                smoothedRoundTrip: .milliseconds(100)
            )
            bbr.update(
                sample,
                &delivery,
                path,
                window: &window,
                threshold: &threshold,
                at: now
            )
        }
    }

    /// Goal: startup grows by its gain, notices after three rounds without growth that the pipe is
    /// full, drains, and probes. Method: a path of 200 segments a round.
    @Test func startupDrainProbe() {
        var path = Path(rate: 200)
        #expect(path.bbr.mode == .startup)
        // 2885/1000 · 10 segments / 100 ms · 1448 bytes, one per cent below.
        #expect(abs(path.bbr.pace - 413_500) < 1500, "\(path.bbr.pace)")
        var modes: [BBR.Mode] = []
        for _ in 0..<12 {
            path.round()
            if modes.last != path.bbr.mode { modes.append(path.bbr.mode) }
        }
        // An empty network ends the drain at once, within one step.
        #expect(modes == [.startup, .probeBandwidth])
        #expect(path.bbr.isPipeFull)
        // 200 segments in 100 ms are 0.002 in a microsecond.
        #expect(path.bbr.bandwidth == 200 * (1 << 24) / 100_000)
        #expect(path.threshold >= 200 && path.threshold < Int.max)
    }

    /// Goal: the drain lasts while more is in flight than the path holds, at the inverse gain.
    /// Method: the same path with a queue that does not empty, then does.
    @Test func drain() {
        var full = Path(rate: 200)
        for _ in 0..<40 where full.bbr.mode == .startup {
            var sample = RateSample()
            sample.delivered = 20
            sample.interval = .milliseconds(10)
            sample.priorDelivered = full.delivery.delivered
            sample.newlyDelivered = 20
            sample.roundTrip = .milliseconds(100)
            full.now += .milliseconds(100)
            full.take(sample, inFlight: 600)
        }
        #expect(full.bbr.mode == .drain)
        #expect(full.bbr.pacingGain == 88)
        var sample = RateSample()
        sample.newlyDelivered = 1
        full.take(sample, inFlight: 150)
        #expect(full.bbr.mode == .probeBandwidth)
    }

    /// Goal: the cycle begins in any phase but the second, by the seed alone, and goes round in
    /// order with gains of 5/4, 3/4 and six times 1. Method: 40 seeds; one path for 30 rounds.
    @Test func cycle() {
        var first: Set<Int> = []
        for seed in 0..<40 {
            var path = Path(rate: 100, seed: UInt64(seed))
            while path.bbr.mode != .probeBandwidth { path.round() }
            first.insert(path.bbr.phase)
            var again = Path(rate: 100, seed: UInt64(seed))
            while again.bbr.mode != .probeBandwidth { again.round() }
            #expect(again.bbr.phase == path.bbr.phase)
        }
        #expect(first == [0, 2, 3, 4, 5, 6, 7])
        var path = Path(rate: 100)
        while path.bbr.mode != .probeBandwidth { path.round() }
        for _ in 0..<30 {
            let before = path.bbr.phase
            path.round(losses: path.bbr.phase == 0 ? 1 : 0, roundTrip: 101)
            #expect(path.bbr.phase == (before + 1) & 7)
            #expect(
                path.bbr.pacingGain == [320, 192, 256, 256, 256, 256, 256, 256][path.bbr.phase]
            )
        }
    }

    /// Goal: ten seconds without a smaller round trip lead to a probe with four segments for 200 ms,
    /// and back with the window from before. Method: round trips that only grow.
    @Test func probeRoundTrip() {
        var path = Path(rate: 200)
        var rounds = 0
        while path.bbr.mode != .probeRoundTrip, rounds < 200 {
            path.round(roundTrip: 110)
            rounds += 1
        }
        #expect(abs(Double(rounds) * 0.11 - 10) < 0.3, "after \(rounds) rounds")
        #expect(path.window == 4)
        let start = path.now
        while path.bbr.mode == .probeRoundTrip { path.round(roundTrip: 105) }
        let length = path.now - start
        #expect(length >= .milliseconds(200) && length < .milliseconds(550), "\(length)")
        #expect(path.bbr.mode == .probeBandwidth)
        #expect(path.window > 100, "window \(path.window)")
        // The probe's own low rates did not count.
        #expect(path.bbr.bandwidth > 200 * (1 << 24) / 120_000)
    }

    /// Goal: losses do not reduce the rate; the first round of a recovery conserves packets, and its
    /// end restores the window. Method: one recovery.
    @Test func recovery() {
        var path = Path(rate: 200)
        for _ in 0..<20 { path.round() }
        let before = (path.window, path.bbr.bandwidth)
        path.bbr.save(window: path.window)
        path.recovery = .recovery
        var sample = RateSample()
        sample.newlyDelivered = 2
        sample.losses = 5
        path.take(sample, inFlight: 90)
        #expect(path.window == 92)
        path.recovery = .open
        path.take(sample, inFlight: 95)
        #expect(path.window >= before.0 - 5)
        #expect(path.bbr.bandwidth == before.1)
    }

    /// Goal: a policer is recognised and left after 48 rounds. Method: a fifth of what is sent lost
    /// each round at one rate.
    @Test func policer() {
        var path = Path(rate: 100)
        for _ in 0..<15 { path.round() }
        for _ in 0..<12 { path.round(losses: 30) }
        let policed = path.bbr.bandwidth
        #expect(abs(policed - 100 * (1 << 24) / 100_000) <= 200, "\(policed)")
        // The pace no longer cycles.
        var gains: Set<Int> = []
        for _ in 0..<16 {
            path.round(losses: 30)
            gains.insert(path.bbr.pacingGain)
        }
        #expect(gains == [256])
        for _ in 0..<60 {
            path.round()
            gains.insert(path.bbr.pacingGain)
        }
        #expect(gains.contains(320))
    }

    /// Goal: samples that the application limited raise the estimate but never lower it. Method: a
    /// trickle for thirty rounds, more than the filter holds.
    @Test func applicationLimited() {
        var path = Path(rate: 200)
        for _ in 0..<20 { path.round() }
        let before = path.bbr.bandwidth
        path.rate = 3
        for _ in 0..<30 { path.round(limited: true) }
        #expect(path.bbr.bandwidth == before)
        path.rate = 3
        for _ in 0..<30 { path.round() }
        #expect(path.bbr.bandwidth < before / 10)
    }

    /// Goal: bursts hold a millisecond of the pace, two segments at least, one below 1.2 Mbit/s.
    /// Method: paths of several rates.
    @Test(arguments: [(rate: 5, burst: 1), (rate: 50, burst: 2), (rate: 4000, burst: 36)])
    func bursts(_ expected: (rate: Int, burst: Int)) {
        var path = Path(rate: expected.rate)
        for _ in 0..<30 { path.round() }
        let pace = Double(expected.rate * 1448 * 10) * 0.99 * Double(path.bbr.pacingGain) / 256
        #expect(abs(Double(path.bbr.pace) / pace - 1) < 0.01)
        let wanted = max(expected.burst == 1 ? 1 : 2, Int(pace / 1024 / 1448))
        #expect(abs(path.bbr.segmentsAtOnce - wanted) <= 1)
    }
}
