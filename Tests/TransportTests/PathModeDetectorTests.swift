import Determinism
import Machines
import Testing
import Transport
import Units

// Goal: the mode of a path is right almost always and within two seconds of a change, whatever
// queue the transfer builds itself, and a path at a border changes it seldom.
// Method: paths with jitter, losses and queueing are modelled, their kinds known, and the judgements
// of every 50 ms counted; a detector without hysteresis is the comparison.
@Suite struct PathModeDetectorTests {
    private typealias Properties = ModelledPath.Properties

    /// One judgement, of so many until then.
    private struct Judgement {
        let time: Instant
        let mode: PathMode
    }

    private func path(_ mode: PathMode, using random: inout SeededRandom) -> Properties {
        func between(_ low: Double, _ high: Double) -> Double {
            low + (high - low) * random.unit()
        }
        switch mode {
        case .datacenter:
            let base = between(0.05, 0.9) / 1e3
            return Properties(
                base: Interval(seconds: base),
                rate: .megabits(Int64(between(1_000, 10_000))),
                jitter: Interval(seconds: base * between(0, 0.2)),
                loss: 0,
                queue: Interval(seconds: between(0.1, 1.2) / 1e3)
            )
        case .regional:
            let base = between(10, 38) / 1e3
            return Properties(
                base: Interval(seconds: base),
                rate: .megabits(Int64(between(300, 3_000))),
                jitter: Interval(seconds: base * between(0, 0.05)),
                loss: between(0, 0.001),
                queue: Interval(seconds: base * between(0.1, 0.5))
            )
        case .internet:
            // Far, or near and lossy.
            let isFar = random.chance(.percent(75))
            let base = (isFar ? between(56, 300) : between(12, 38)) / 1e3
            return Properties(
                base: Interval(seconds: base),
                rate: .megabits(Int64(between(50, 1_000))),
                jitter: Interval(seconds: base * between(0, 0.15)),
                loss: isFar ? between(0, 0.02) : between(0.02, 0.05),
                queue: Interval(seconds: base * between(0.1, 0.5))
            )
        }
    }

    private func judgements(
        _ detector: inout PathModeDetector,
        _ modelled: inout ModelledPath,
        from start: Instant,
        for length: Interval
    ) -> [Judgement] {
        var found: [Judgement] = []
        for step in 1...(length.nanoseconds / ModelledPath.step.nanoseconds) {
            let now = start + ModelledPath.step * step
            for sample in modelled.advance() { detector.take(sample) }
            _ = detector.judge(delivered: modelled.delivered, isLimited: false, at: now)
            found.append(Judgement(time: now, mode: detector.mode))
        }
        return found
    }

    @Test func isRightWithinTwoSecondsOfAChange() {
        var (right, all, late, changes, flaps) = (0, 0, 0, 0, 0)
        for seed in 0..<40 as Range<UInt64> {
            var random = SeededRandom(stateFrom: 1_000 + seed)
            var truth = PathMode.allCases[Int(random.below(3))]
            var modelled = ModelledPath(path(truth, using: &random), seed: seed)
            var detector = PathModeDetector(start: .regional)
            var now = Instant.zero
            for _ in 0..<8 {
                let length = Interval.seconds(5 + Int64(random.below(15)))
                let found = judgements(&detector, &modelled, from: now, for: length)
                let settled = found.filter { $0.time - now > .seconds(2) }
                right += settled.count { $0.mode == truth }
                all += settled.count
                if settled.first?.mode != truth { late += 1 }
                now = now + length
                changes += 1
                let others = PathMode.allCases.filter { $0 != truth }
                truth = others[Int(random.below(2))]
                modelled.path = path(truth, using: &random)
            }
            flaps += detector.flaps
        }
        #expect(Double(right) / Double(all) > 0.95)
        #expect(Double(late) / Double(changes) < 0.05)
        #expect(flaps <= 2)
    }

    /// Without its own memory of what it had decided.
    private var withoutHysteresis: PathModeDetector.Rules {
        var rules = PathModeDetector.Rules()
        rules.datacenterLeave = rules.datacenterEnter
        rules.internetLeave = rules.internetEnter
        rules.lossLeave = rules.lossEnter
        rules.variationEnter = rules.variationLeave
        rules.window = .milliseconds(50)
        rules.memory = .zero
        rules.confirmation = .zero
        rules.dwell = .zero
        rules.longestDwell = .zero
        return rules
    }

    // Round trips wander around a border for ten minutes.
    @Test(arguments: [2.9, 3, 49, 50], [1, 2] as [UInt64])
    func aPathAtABorderChangesSeldom(milliseconds: Double, seed: UInt64) {
        func changes(_ rules: PathModeDetector.Rules) -> Int {
            var random = SeededRandom(stateFrom: seed)
            var properties = Properties(
                base: Interval(seconds: milliseconds / 1e3),
                rate: .megabits(500),
                jitter: Interval(seconds: milliseconds / 5e4),
                loss: 0,
                queue: Interval(seconds: milliseconds / 1e4)
            )
            var modelled = ModelledPath(properties, seed: seed)
            var detector = PathModeDetector(start: .regional, rules: rules)
            var wander = 0.0
            for second in 0..<600 as Range<Int64> {
                wander = wander * 0.7 + (random.unit() - 0.5) * 0.3
                properties.base = Interval(seconds: milliseconds / 1e3 * (1 + wander))
                modelled.path = properties
                _ = judgements(
                    &detector,
                    &modelled,
                    from: .zero + .seconds(second),
                    for: .seconds(1)
                )
            }
            return detector.changes
        }
        let (calm, nervous) = (changes(PathModeDetector.Rules()), changes(withoutHysteresis))
        // The dwell doubles up to 64 s: at most 7 changes until then, and one a dwell later.
        #expect(calm <= 7 + 600 / 64)
        #expect(nervous > 20 && nervous > 4 * calm)
    }

    // A queue that triples round trips stands for most of the time after the path was seen empty.
    @Test func itsOwnQueueIsNotThePath() {
        let properties = Properties(
            base: .milliseconds(20),
            rate: .megabits(100),
            jitter: .microseconds(100),
            loss: 0,
            queue: .milliseconds(60)
        )
        var modelled = ModelledPath(properties, seed: 5)
        var detector = PathModeDetector(start: .regional)
        let found = judgements(&detector, &modelled, from: .zero, for: .seconds(25))
        #expect(found.allSatisfy { $0.mode == .regional })
        #expect(modelled.advance().allSatisfy { $0.rtt > .milliseconds(40) })
        #expect(detector.base.map { $0 < .milliseconds(25) } == true)
    }

    // A sender that is held back builds no queue: longer round trips are the path's.
    @Test func aLimitedSenderNoticesWithoutADip() {
        var detector = PathModeDetector(start: .regional)
        var now = Instant.zero
        func sample(_ milliseconds: Int64) -> PathSample {
            PathSample(
                rtt: .milliseconds(milliseconds),
                deliveryRate: .megabits(1),
                loss: .zero,
                inFlight: .zero
            )
        }
        var delivered: UInt64 = 0
        func play(_ milliseconds: Int64, isLimited: Bool) {
            for _ in 0..<40 {
                now = now + .milliseconds(50)
                delivered += 6_250
                detector.take(sample(milliseconds))
                _ = detector.judge(delivered: delivered, isLimited: isLimited, at: now)
            }
        }
        play(20, isLimited: true)
        play(80, isLimited: true)
        #expect(detector.mode == .internet)
        var other = PathModeDetector(start: .regional)
        swap(&other, &detector)
        play(20, isLimited: false)
        play(80, isLimited: false)
        #expect(detector.mode == .regional)
    }

    // A clock that is set back, silence, and samples without a round trip change nothing.
    @Test func oddInputIsHarmless() {
        var detector = PathModeDetector(start: .datacenter)
        var sample = PathSample(
            rtt: .zero,
            deliveryRate: BitRate(bitsPerSecond: 0),
            loss: .zero,
            inFlight: .zero
        )
        detector.take(sample)
        #expect(detector.judge(delivered: 0, isLimited: false, at: .zero) == nil)
        #expect(detector.base == nil)
        sample.rtt = .microseconds(300)
        for second in [5, 3_605, 2, 1, 3_600, 0] as [Int64] {
            detector.take(sample)
            let now = Instant.zero + .seconds(second)
            #expect(detector.judge(delivered: 1, isLimited: false, at: now) == nil)
        }
        #expect(detector.mode == .datacenter)
        #expect(detector.changes == 0)
    }
}
