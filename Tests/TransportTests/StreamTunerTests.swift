import Determinism
import Machines
import Testing
import Transport
import Units

/// A path as a formula: streams that take losses for congestion get their share each until the link
/// is full; others fill it alone. Figures of an epoch are noisy.
private struct FormulaPath {
    var capacity = 100e6
    /// What one stream gets alone that takes losses for congestion.
    var share = 1.6e6
    var loss = Ratio.percent(1)
    var rtt = Interval.milliseconds(80)
    var noise = 0.03
    /// What round trips show on top although no queue is full: jitter that packets do not overtake.
    var swelling = 1.0
    /// Beyond `capacity` a doubling of streams still brings this part more.
    var tail = 0.0
    /// Whether more than `capacity` waits in a queue. Where not, nobody else is on the link.
    var queues = true

    func epoch(
        _ setting: StreamTuner.Setting,
        _ random: inout SeededRandom
    ) -> StreamTuner.Observation {
        let offered: Double
        let fills: Bool
        switch setting.congestion {
        case .bbr: (offered, fills) = (capacity, setting.streams > 1)
        case .cubic, .newReno:
            offered = share * Double(setting.streams)
            fills = offered > capacity
        }
        // Each gets less than alone by more losses, as the inverse square of its rate (Mathis et al. 1997).
        let excess = fills && queues ? offered / capacity : 1
        let chance = Double(random.below(2_001)) / 1_000 - 1
        let beyond = tail * max(0, DeterministicMath.log(offered / capacity)) / 0.693
        let rate = min(capacity * (1 + beyond), offered) * (1 + noise * chance)
        return StreamTuner.Observation(
            rate: BitRate(bitsPerSecond: Int64(rate)),
            loss: fills && setting.congestion == .bbr
                ? .percent(10) : Ratio(min(0.3, loss.value * excess * excess)),
            roundTrip: fills && queues ? rtt * 2 : rtt.scaled(by: swelling),
            smallestRoundTrip: rtt
        )
    }
}

/// Runs so many epochs of two seconds; returns the settings, one an epoch.
private func settings(
    of tuner: inout StreamTuner,
    on path: FormulaPath,
    epochs: Int,
    from start: Int = 0,
    seed: UInt64 = 1
) -> [StreamTuner.Setting] {
    var random = SeededRandom(stateFrom: seed)
    return (0..<epochs).map { epoch in
        let now = Instant.zero + .seconds(Int64(2 * (start + epoch)))
        _ = tuner.observe(path.epoch(tuner.setting, &random), at: now)
        return tuner.setting
    }
}

private func tuner(_ streams: Int, choosesControl: Bool = false) -> StreamTuner {
    StreamTuner(
        start: StreamTuner.Setting(streams: streams, congestion: .cubic),
        rules: StreamTuner.Rules(choosesControl: choosesControl)
    )
}

/// The streams after each of so many epochs of two seconds, of which `epoch` makes what is measured.
private func streams(
    of tuner: inout StreamTuner,
    epochs: Int,
    _ epoch: (_ streams: Int, _ number: Int) -> StreamTuner.Observation
) -> [Int] {
    (0..<epochs).map { number in
        let observation = epoch(tuner.setting.streams, number)
        _ = tuner.observe(observation, at: .zero + .seconds(Int64(2 * number)))
        return tuner.setting.streams
    }
}

// Goal: the number of streams follows the path: enough to fill it, hardly more, steady when found.
// Method: paths as formulas, with seeded noise; tables of what must come out.
@Suite struct StreamTunerTests {
    @Test(arguments: 0..<20)
    func findsWhatFillsALossyPath(seed: Int) {
        var tuner = tuner(16)
        let path = FormulaPath()
        let all = settings(of: &tuner, on: path, epochs: 80, seed: UInt64(seed))
        // 62.5 streams fill it; trials of fewer and more come and go.
        let found = all.suffix(40).map(\.streams)
        let filling = found.count { (56...128).contains($0) }
        #expect(filling >= 30, "\(found)")
    }

    @Test func takesBackWhatOnlyQueues() {
        var tuner = tuner(256)
        let path = FormulaPath(share: 50e6, loss: .percent(0.05), rtt: .milliseconds(2))
        _ = settings(of: &tuner, on: path, epochs: 40)
        #expect(tuner.setting.streams <= 4, "\(tuner.setting.streams) streams")
    }

    @Test func staysWithinItsBounds() {
        for bounds in [1...1, 3...7, 16...256] {
            var tuner = StreamTuner(
                start: StreamTuner.Setting(streams: 300, congestion: .cubic),
                rules: StreamTuner.Rules(streams: bounds)
            )
            #expect(bounds.contains(tuner.setting.streams))
            for share in [0.01e6, 60e6] {
                let path = FormulaPath(share: share, noise: 0.5)
                let all = settings(of: &tuner, on: path, epochs: 100)
                #expect(all.allSatisfy { bounds.contains($0.streams) })
            }
        }
    }

    // Round trips that are long with few streams, too, do not tell of a queue: half of them bring half.
    @Test(arguments: 0..<10)
    func fillsAPathWhoseDelayVariesByItself(seed: Int) {
        var tuner = tuner(32)
        let path = FormulaPath(swelling: 1.7)
        let all = settings(of: &tuner, on: path, epochs: 200, seed: UInt64(seed))
        let late = all.suffix(100).map(\.streams)
        #expect(late.count { $0 >= 56 } >= 60, "\(late)")
    }

    // Jitter that packets do not overtake makes round trips long, and fresh streams fill a queue for a few epochs:
    // neither is a full link, and a link that is not full is not others'.
    @Test func freshStreamsThatFillTheQueueForAMomentAreNotTheEnd() {
        let known = Interval.milliseconds(200)
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 16, congestion: .cubic),
            roundTrip: known
        )
        var last = 0
        var since = 0
        let all = streams(of: &tuner, epochs: 60) { streams, number in
            since = streams == last ? since + 1 : 0
            let hasGrown = last > 0 && streams > last || since > 0
            last = streams
            let isFresh = hasGrown && streams == 64 && since < 4
            let rate = isFresh ? 90e6 : min(95e6, 1.03e6 * Double(streams))
            let isFull = isFresh || rate > 94e6
            return StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(rate)),
                loss: .percent(0.5),
                roundTrip: known.scaled(by: isFull ? 1.85 : 1.52),
                // The first sample of a stream may be one that was not held up.
                smallestRoundTrip: known.scaled(by: number == 0 ? 1.01 : 1.4)
            )
        }
        let late = all.suffix(20)
        #expect(late.allSatisfy { $0 >= 84 }, "\(all)")
    }

    // Streams that are fresh get more than they will: what was turned down against that is tried again when it
    // shows. On this path, which loses much, an eighth more brings too little to be told from chance.
    @Test(arguments: 0..<10)
    func whatFreshStreamsGotIsNotWhatOthersAreHeldAgainst(seed: Int) {
        let known = Interval.milliseconds(400)
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 16, congestion: .cubic),
            roundTrip: known
        )
        var random = SeededRandom(stateFrom: UInt64(seed))
        var last = 0
        var since = 0
        let all = streams(of: &tuner, epochs: 120) { streams, _ in
            since = streams == last ? since + 1 : 0
            last = streams
            let chance = 1 + 0.02 * (Double(random.below(2_001)) / 1_000 - 1)
            let settled = min(9.3e6, 8.3e6 + 1e6 * Double(streams - 64) / 64)
            let rate =
                if streams < 64 {
                    0.13e6 * Double(streams)
                } else {
                    streams == 64 && since < 3 ? 8.9e6 : settled
                }
            return StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(rate * chance)),
                loss: streams > 70 ? .percent(8) : .percent(5),
                roundTrip: known.scaled(by: streams > 70 ? 3 : 2.4),
                smallestRoundTrip: known.scaled(by: streams > 70 ? 2.6 : 1.8)
            )
        }
        let late = all.suffix(60)
        #expect(late.count { $0 >= 96 } >= 50, "\(all)")
    }

    // What is still under way of the others makes fewer streams look as good for a moment: where they turn out to get
    // less, nobody waits for the next probe, which may be two minutes away.
    @Test func fewerStreamsAreHeldToWhatTheyWereKeptFor() {
        let known = Interval.milliseconds(200)
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 24, congestion: .cubic),
            roundTrip: known
        )
        var last = 0
        var since = 0
        let all = streams(of: &tuner, epochs: 400) { streams, _ in
            // For three epochs after a step down from a full link.
            let drains = last >= 93 && streams < last
            since = streams == last ? since + 1 : drains ? 0 : 1_000
            last = streams
            let rate = since < 3 ? 95e6 : min(95e6, 1.03e6 * Double(streams))
            return StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(rate)),
                loss: .percent(0.5),
                roundTrip: known.scaled(by: rate > 94e6 ? 1.85 : 1.2),
                smallestRoundTrip: known.scaled(by: rate > 94e6 ? 1.2 : 1.05)
            )
        }
        // From the first time that the link was full.
        let late = all.drop { $0 < 93 }
        let idle = late.count { $0 < 90 }
        #expect(late.count > 300 && idle * 8 < late.count, "\(all)")
    }

    // Each step down may cost a little; all of them together no more than one may.
    @Test(arguments: 0..<10)
    func smallLossesDoNotAddUp(seed: Int) {
        var tuner = tuner(128)
        let path = FormulaPath(capacity: 40e6, noise: 0.005, tail: 0.05, queues: false)
        let all = settings(of: &tuner, on: path, epochs: 400, seed: UInt64(seed))
        // 128 streams bring 11.8 % more than the 25 at which the curve bends, 80 bring 8.4 %.
        #expect(all.suffix(50).allSatisfy { $0.streams >= 64 }, "\(all.suffix(50).map(\.streams))")
    }

    // Fresh streams overflow a path together; what is measured then is not what they get.
    @Test func waitsUntilFreshStreamsHaveComeToRest() {
        var tuner = tuner(16)
        var random = SeededRandom(stateFrom: 3)
        let path = FormulaPath()
        var streams = tuner.setting.streams
        var storm = 0
        var most = 0
        for epoch in 0..<120 {
            var observation = path.epoch(tuner.setting, &random)
            if tuner.setting.streams > streams { storm = 3 }
            streams = tuner.setting.streams
            if storm > 0 {
                storm -= 1
                observation.loss = .percent(20)
                observation.rate = BitRate(bitsPerSecond: observation.rate.bitsPerSecond / 2)
            }
            _ = tuner.observe(observation, at: .zero + .seconds(Int64(2 * epoch)))
            most = max(most, tuner.setting.streams)
        }
        #expect(most >= 64, "at most \(most) streams")
        #expect(tuner.setting.streams >= 48, "\(tuner.setting.streams) streams")
    }

    // Where they do not come to rest at all, a trial ends all the same: six epochs are left out, three judged.
    @Test func waitsNoLongerThanATrialMay() {
        var tuner = tuner(16)
        let all = streams(of: &tuner, epochs: 40) { streams, _ in
            StreamTuner.Observation(
                rate: .megabits(10),
                loss: .percent(streams > 16 ? 20 : 1),
                roundTrip: .milliseconds(80),
                smallestRoundTrip: .milliseconds(80)
            )
        }
        let trial = all.drop { $0 == 16 }.prefix { $0 == 32 }
        #expect(trial.count == 9, "\(all)")
    }

    // Once found it holds: probes become rare, and none of them stays.
    @Test func doesNotFlap() {
        var tuner = tuner(16)
        _ = settings(of: &tuner, on: FormulaPath(), epochs: 60)
        let before = tuner.changes
        let later = settings(of: &tuner, on: FormulaPath(), epochs: 300, from: 60)
        // Ten minutes: probes 15 s to 2 min apart, each at most a try up, one down, and back.
        #expect(tuner.changes - before <= 60, "\(tuner.changes - before) changes")
        let usual = later.filter { (56...128).contains($0.streams) }.count
        #expect(usual > 240, "\(usual) of 300 epochs")
    }

    @Test func followsAPathThatChanges() {
        var tuner = tuner(16)
        _ = settings(of: &tuner, on: FormulaPath(), epochs: 60)
        let worse = FormulaPath(share: 0.5e6)
        _ = settings(of: &tuner, on: worse, epochs: 40, from: 60)
        #expect(tuner.setting.streams >= 150, "\(tuner.setting.streams) streams")
        let better = FormulaPath(share: 50e6)
        // Nothing but losses has changed, so that it is the next probe that notices.
        _ = settings(of: &tuner, on: better, epochs: 180, from: 100)
        #expect(tuner.setting.streams <= 64, "\(tuner.setting.streams) streams")
    }

    // Losses that all the streams there may be do not make up for, and no queue: few streams of BBR.
    @Test func choosesAControlThatStandsLosses() {
        var tuner = tuner(16, choosesControl: true)
        _ = settings(of: &tuner, on: FormulaPath(share: 0.2e6), epochs: 60)
        #expect(tuner.setting.congestion == .bbr)
        #expect(tuner.setting.streams <= 8)
    }

    // A fixed number cannot grow, so its control is what is left to choose.
    @Test func choosesTheControlOfAFixedNumber() {
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 4, congestion: .cubic),
            rules: StreamTuner.Rules(streams: 4...4, choosesControl: true)
        )
        _ = settings(of: &tuner, on: FormulaPath(), epochs: 20)
        #expect(tuner.setting == StreamTuner.Setting(streams: 4, congestion: .bbr))
    }

    @Test func keepsCubicWhereStreamsMakeUpForLosses() {
        var tuner = tuner(16, choosesControl: true)
        let all = settings(of: &tuner, on: FormulaPath(), epochs: 80)
        #expect(all.allSatisfy { $0.congestion == .cubic })
    }

    @Test func keepsCubicWhereNothingIsLost() {
        var tuner = tuner(16, choosesControl: true)
        let path = FormulaPath(share: 30e6, loss: .zero)
        let all = settings(of: &tuner, on: path, epochs: 60)
        #expect(all.allSatisfy { $0.congestion == .cubic })
    }

    // Others keep the queue of a link full: the link loses nothing by fewer streams, only this transfer does.
    @Test func leavesToOthersWhatALinkIsFullOf() {
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 25, congestion: .cubic),
            roundTrip: .milliseconds(80)
        )
        for second in 0..<120 {
            let share = Double(tuner.setting.streams) / Double(tuner.setting.streams + 4)
            let epoch = StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(100e6 * share)),
                loss: .percent(0.1),
                roundTrip: .milliseconds(150),
                smallestRoundTrip: .milliseconds(140)
            )
            _ = tuner.observe(epoch, at: .zero + .seconds(Int64(second)))
        }
        #expect(tuner.setting.streams <= 6)
        #expect(tuner.setting.streams >= 4)
    }

    // What is held is probed in small steps, up and down.
    @Test func probesOfWhatIsHeldAreSmall() {
        var tuner = tuner(16)
        let path = FormulaPath(loss: .percent(0.5))
        _ = settings(of: &tuner, on: path, epochs: 100)
        let before = tuner.changes
        let later = settings(of: &tuner, on: path, epochs: 300, from: 100).map(\.streams)
        #expect(tuner.changes > before)
        for (one, next) in zip(later, later.dropFirst()) {
            #expect(next * 4 >= one * 3 && next * 3 <= one * 4, "\(one) to \(next)")
        }
    }

    // Goal: streams that overflow their queue are no other path, and rates that fall without it are.
    // Method: right after a hold began, half the rate for four epochs, with losses and without.
    @Test(arguments: [true, false])
    func anOverflowIsNoOtherPath(loses: Bool) {
        var tuner = tuner(16)
        var random = SeededRandom(stateFrom: 5)
        let path = FormulaPath()
        var epoch = 0
        func observe(_ observation: StreamTuner.Observation) {
            _ = tuner.observe(observation, at: .zero + .seconds(Int64(2 * epoch)))
            epoch += 1
        }
        var wasHolding = true
        while epoch < 60 || wasHolding || !tuner.isHolding, epoch < 500 {
            wasHolding = tuner.isHolding
            observe(path.epoch(tuner.setting, &random))
        }
        #expect(tuner.isHolding)
        let held = tuner.setting
        for _ in 0..<4 {
            var observation = path.epoch(held, &random)
            observation.rate = BitRate(bitsPerSecond: observation.rate.bitsPerSecond / 2)
            if loses { observation.loss = .percent(10) }
            observe(observation)
        }
        #expect(tuner.isHolding == loses)
        #expect(!loses || tuner.setting == held)
    }

    // Goal: a number of streams is worth what it gets in the long run.
    // Method: 200 streams and more fill a queue until it overflows, in every fourth epoch; 160 get more on average and
    // less than that in the other three.
    @Test func leavesWhatOverflowsAgainAndAgain() {
        var tuner = tuner(256)
        let all = streams(of: &tuner, epochs: 300) { streams, epoch in
            let isOverflowing = streams >= 200 && epoch % 4 == 3
            let rate = isOverflowing ? 55 : min(streams >= 200 ? 95 : 93, 0.6 * Double(streams))
            return StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(rate * 1e6)),
                loss: isOverflowing ? .percent(10) : .percent(1),
                roundTrip: .milliseconds(streams >= 150 ? 580 : 470),
                smallestRoundTrip: .milliseconds(streams >= 150 ? 460 : 430)
            )
        }
        let late = all.suffix(150)
        #expect(late.count { (140..<200).contains($0) } >= 120, "\(late)")
    }

    // Goal: delay that varies is not taken for others on the link. Method: round trips that never come near what is
    // known of the path; what is left of a queue by fewer streams stays empty.
    @Test func givesNothingToOthersThatAreNotThere() {
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 192, congestion: .cubic),
            roundTrip: .milliseconds(40)
        )
        let all = streams(of: &tuner, epochs: 300) { streams, _ in
            let queue = min(20, max(0, streams - 150) / 2)
            return StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(min(950, 6.3 * Double(streams)) * 1e6)),
                loss: .percent(0.1),
                roundTrip: .milliseconds(Int64(72 + queue)),
                smallestRoundTrip: .milliseconds(Int64(60 + queue))
            )
        }
        let late = all.suffix(150)
        #expect(late.count { $0 >= 140 } >= 130, "\(late)")
    }

    // Goal: what was lost while streams were fresh is no sign of a path that loses much, on which nothing is probed.
    // Method: the same path, but its first epoch loses 2 %, and half of its streams get as much until it has drained.
    @Test func lossesOfTheBeginningDoNotEndTheSearch() {
        var tuner = StreamTuner(
            start: StreamTuner.Setting(streams: 256, congestion: .cubic),
            roundTrip: .milliseconds(40)
        )
        let all = streams(of: &tuner, epochs: 300) { streams, number in
            let drains = number < 16 && streams >= 128
            let queue = drains ? 18 : min(20, max(0, streams - 150) / 2)
            return StreamTuner.Observation(
                rate: .megabits(drains ? 940 : Int64(min(950, 6.3 * Double(streams)))),
                loss: .percent(number == 0 ? 2 : 0.1),
                roundTrip: .milliseconds(Int64(number == 0 ? 76 : 72 + queue)),
                smallestRoundTrip: .milliseconds(Int64(number == 0 ? 54 : 60 + queue))
            )
        }
        #expect(all[10] == 128, "\(all.prefix(20))")
        let late = all.suffix(150)
        #expect(late.count { $0 >= 140 } >= 130, "\(all)")
    }

    // Epochs in which nothing came across leave no mark: what is clear is clear at once afterwards.
    @Test func recoversFromEpochsOfNothing() {
        var tuner = tuner(16)
        let all = streams(of: &tuner, epochs: 6) { streams, number in
            StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: number < 3 ? 0 : 1_600_000 * Int64(streams)),
                loss: .percent(1),
                roundTrip: .milliseconds(80),
                smallestRoundTrip: .milliseconds(80)
            )
        }
        #expect(all == [32, 32, 64, 64, 128, 128])
    }

    // An application that has nothing to send says nothing about the path.
    @Test func learnsNothingFromStarvation() {
        var tuner = tuner(16)
        for second in 0..<50 {
            let epoch = StreamTuner.Observation(
                rate: BitRate(bitsPerSecond: Int64(second + 1) * 1_000),
                loss: .zero,
                roundTrip: .milliseconds(10),
                smallestRoundTrip: .milliseconds(10),
                isStarved: true
            )
            let hasChanged = tuner.observe(epoch, at: .zero + .seconds(Int64(second)))
            #expect(!hasChanged)
        }
        #expect(tuner.setting.streams == 16)
    }
}
