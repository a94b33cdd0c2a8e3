import Determinism
import LinkModel
import Testing
import Units

/// Links along traces: departures by hand, and what must hold for every trace.
@Suite struct RateTraceTests {
    static func at(_ milliseconds: Double) -> Instant {
        .zero + Interval(seconds: milliseconds / 1000)
    }

    static func clock(_ trace: RateTrace, load: Double = 0) -> LinkPipe<UInt32> {
        LinkPipe(
            LinkParameters(
                rate: trace.mean,
                trace: trace,
                propagation: .zero,
                queueLimit: .gibibytes(1),
                backgroundLoad: Ratio(load)
            ),
            entity: EntityID(.link, 0),
            seed: 1,
            filler: 0
        )
    }

    static func times(_ pipe: inout LinkPipe<UInt32>) -> [Double] {
        LinkPipeTests.drain(&pipe).map(\.at)
    }

    static func steps(
        _ starts: [Int64],
        _ megabits: [Int64],
        _ ending: RateTrace.Ending = .repeat,
        length: Int64? = nil
    ) throws -> RateTrace {
        try RateTrace(
            .steps(
                starts: starts.map { $0 * 1_000_000 },
                rates: megabits.map { $0 * 1_000_000 }
            ),
            ending: ending,
            length: length.map { .milliseconds($0) }
        )
    }

    /// Goal: a packet leaves when the rate's integral has reached its bits. Method: items of 1,000
    /// bytes on 8 Mbit/s for 2 ms, nothing for 3 ms, 16 Mbit/s for 1 ms, again and again.
    @Test func stepTable() throws {
        var pipe = Self.clock(try Self.steps([0, 2, 5], [8, 0, 16], length: 6))
        _ = LinkPipeTests.offer(&pipe, 0..<7)
        #expect(Self.times(&pipe) == [1, 2, 5.5, 6, 7, 8, 11.5])
        // Half a packet's worth of the first step is left when this one comes.
        #expect(LinkPipeTests.offer(&pipe, 7..<8, at: 13) == [.carried])
        #expect(Self.times(&pipe) == [14])
    }

    /// Goal: a packet may span steps and passes. Method: 1,000 bytes a pass and less.
    @Test func spanning() throws {
        var pipe = Self.clock(try Self.steps([0, 1], [4, 0], length: 10))
        _ = pipe.offer(0, wireBytes: 500, at: Self.at(0.5))
        _ = pipe.offer(1, wireBytes: 100_000, at: Self.at(0.5))
        // 250 bytes in the first pass and in the second; then 250 there, 199 whole passes, and 250.
        let times = Self.times(&pipe)
        #expect(times[0] == 10.5)
        #expect(times[1] == 2010.5)
    }

    /// Goal: what holds, holds. Method: 8 Mbit/s, 16 from 2 ms on.
    @Test func holding() throws {
        var pipe = Self.clock(try Self.steps([0, 2], [8, 16], .hold))
        _ = LinkPipeTests.offer(&pipe, 0..<4)
        #expect(Self.times(&pipe) == [1, 2, 2.5, 3])
        _ = LinkPipeTests.offer(&pipe, 4..<5, at: 100_000)
        #expect(Self.times(&pipe) == [100_000.5])
    }

    /// Goal: mahimahi's rule: an opportunity carries a full packet of whoever came before it, several
    /// small ones share it, a large one takes several, and an unused one is gone. Method: by hand,
    /// at 1, 1, 4 and 6 ms, repeating every 6 ms.
    @Test func opportunities() throws {
        let trace = try RateTrace(
            .opportunities([1, 1, 4, 6].map { $0 * 1_000_000 }),
            ending: .repeat
        )
        var pipe = Self.clock(trace)
        for (item, size) in [1514, 1000, 514, 700, 1514].enumerated() {
            _ = pipe.offer(UInt32(item), wireBytes: size, at: .zero)
        }
        #expect(Self.times(&pipe) == [1, 1, 1, 4, 6])
        // 814 bytes of the opportunity at 6 are left, but nobody was there; nor at 7, 7, 10 or 12.
        _ = pipe.offer(5, wireBytes: 1514, at: Self.at(12))
        _ = pipe.offer(6, wireBytes: 4000, at: Self.at(12))
        #expect(Self.times(&pipe) == [13, 18])
    }

    /// Goal: a link that follows a trace for a while carries what the trace says from its own beginning
    /// on, and then again what it carried before; what is being sent goes on. Method: items of 1,000
    /// bytes at 8 Mbit/s; from 10.5 ms to 22 ms along 4 Mbit/s for 2 ms, nothing for 3 ms.
    @Test func aTraceForAWhile() throws {
        let fault = try Self.steps([0, 2], [4, 0], length: 5)
        var pipe = LinkPipe<UInt32>(
            LinkParameters(
                rate: .megabits(8),
                propagation: .zero,
                queueLimit: .gibibytes(1)
            ),
            entity: EntityID(.link, 0),
            seed: 1,
            filler: 0
        )
        _ = LinkPipeTests.offer(&pipe, 0..<4, at: 10)
        pipe.follow(fault, since: Self.at(10.5), at: Self.at(10.5))
        let along = LinkPipeTests.drain(&pipe, until: Self.at(22)).map(\.at)
        // Half of the first item is left, one byte more by rounding; then one item and a half a pass.
        let expected = [11.502, 16.502, 21.502]
        #expect(along.count == 3)
        for (time, wanted) in zip(along, expected) { #expect(abs(time - wanted) < 0.001) }
        pipe.setRate(.megabits(8), at: Self.at(22))
        let after = LinkPipeTests.drain(&pipe, until: Self.at(100)).map(\.at)
        #expect(after.count == 1)
        #expect(abs(after[0] - 22.752) < 0.002)
    }

    /// Goal: opportunities of a trace that began later are shifted. Method: one a millisecond, begun at
    /// 10.5 ms, on a link that was idle.
    @Test func opportunitiesForAWhile() throws {
        let trace = try RateTrace(.opportunities([1_000_000]), ending: .repeat)
        var pipe = LinkPipe<UInt32>(
            LinkParameters(rate: .gigabits(1), propagation: .zero, queueLimit: .gibibytes(1)),
            entity: EntityID(.link, 0),
            seed: 1,
            filler: 0
        )
        pipe.follow(trace, since: Self.at(10.5), at: Self.at(10.5))
        for item in 0..<3 as Range<UInt32> {
            _ = pipe.offer(item, wireBytes: 1514, at: Self.at(12))
        }
        #expect(Self.times(&pipe) == [12.5, 13.5, 14.5])
    }

    /// Goal: an outage gives back the opportunities of what it dropped. Method: five packets waiting
    /// for opportunities 1 ms apart, down at 2.5 ms; the next packet leaves at 4.
    @Test func outageOnOpportunities() throws {
        let trace = try RateTrace(.opportunities([1_000_000]), ending: .repeat)
        var pipe = Self.clock(trace)
        for item in 0..<5 as Range<UInt32> { _ = pipe.offer(item, wireBytes: 1514, at: .zero) }
        #expect(LinkPipeTests.drain(&pipe, until: Self.at(2.5)).map(\.at) == [1, 2])
        pipe.setUp(false, at: Self.at(2.5))
        pipe.setUp(true, at: Self.at(3.2))
        _ = pipe.offer(9, wireBytes: 1514, at: Self.at(3.2))
        #expect(Self.times(&pipe) == [4])
    }

    /// Goal: a trace of one rate is that rate, to the nanosecond, with and without background load.
    /// Method: random packets on both.
    @Test(arguments: [0.0, 0.37]) func constantTrace(_ load: Double) throws {
        var random = SeededRandom(seed: 5, entity: EntityID(.experiment, 0), purpose: "constant")
        let trace = try Self.steps([0, 7, 11], [93, 93, 93], length: 12)
        var traced = Self.clock(trace, load: load)
        var fixed = LinkPipe<UInt32>(
            LinkParameters(
                rate: .megabits(93),
                propagation: .zero,
                queueLimit: .gibibytes(1),
                backgroundLoad: Ratio(load)
            ),
            entity: EntityID(.link, 0),
            seed: 1,
            filler: 0
        )
        var now = Instant.zero
        for item in 0..<20_000 as Range<UInt32> {
            now += Interval(nanoseconds: Int64(random.below(260_000)))
            let size = 40 + Int(random.below(1475))
            _ = traced.offer(item, wireBytes: size, at: now)
            _ = fixed.offer(item, wireBytes: size, at: now)
        }
        #expect(Self.times(&traced) == Self.times(&fixed))
    }

    /// Goal: for every trace, no more leaves in a busy period than the integral allows, and no less
    /// than that and a packet. Method: random traces and packets; the integral is computed by
    /// another path, from sums.
    @Test(arguments: 0..<60 as Range<UInt64>) func integral(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed, entity: EntityID(.experiment, 1), purpose: "traces")
        let trace = try Self.randomTrace(&random)
        let load = seed % 3 == 0 ? 0.25 : 0
        var pipe = Self.clock(trace, load: load)
        var now = Instant.zero
        var offered: [(at: Instant, bytes: Int)] = []
        for item in 0..<400 as Range<UInt32> {
            if random.below(8) == 0 {
                now += Interval(nanoseconds: Int64(random.below(40_000_000)))
            }
            let size = 60 + Int(random.below(1455))
            _ = pipe.offer(item, wireBytes: size, at: now)
            offered.append((now, size))
        }
        var departures: [Instant] = []
        while pipe.nextEvent != .distantFuture {
            let due = pipe.nextEvent
            while let arrival = pipe.takeArrival(at: due) { departures.append(arrival.time) }
        }
        #expect(departures.count == 400)
        var begin = 0
        var bits = 0.0
        for index in offered.indices {
            if index > 0, departures[index - 1] <= offered[index].at { (begin, bits) = (index, 0) }
            bits += Double(offered[index].bytes) * 8
            let allowed =
                trace.bits(from: offered[begin].at, to: departures[index]) * (1 - load)
            #expect(bits <= allowed * (1 + 1e-6) + 8, "packet \(index) of seed \(seed)")
            // Less had left a moment before; a nanosecond for each packet is lost to rounding.
            let moment = departures[index] - .nanoseconds(1)
            let before = trace.bits(from: offered[begin].at, to: moment) * (1 - load)
            #expect(bits > before * (1 - 1e-3) - 8, "packet \(index) of seed \(seed)")
        }
        _ = pipe.counters(at: departures[399])
    }

    static func randomTrace(_ random: inout SeededRandom) throws -> RateTrace {
        let count = 1 + Int(random.below(30))
        var times: [Int64] = []
        var time: Int64 = 0
        for _ in 0..<count {
            times.append(time)
            time += 1 + Int64(random.below(5_000_000))
        }
        switch random.below(3) {
        case 0:
            return try RateTrace(
                .opportunities(times.map { $0 / 1_000_000 * 1_000_000 }),
                ending: .repeat,
                length: .milliseconds(time / 1_000_000 + 1)
            )
        case 1:
            var rates = times.map { _ in Int64(random.below(200_000_000)) }
            rates[count - 1] = 5_000_000
            return try RateTrace(.steps(starts: times, rates: rates), ending: .hold)
        default:
            var rates = times.map { _ in
                random.below(4) == 0 ? 0 : Int64(random.below(200_000_000))
            }
            rates[0] = 3_000_000
            return try RateTrace(
                .steps(starts: times, rates: rates),
                ending: .repeat,
                length: Interval(nanoseconds: time + 1_000_000)
            )
        }
    }

    /// Goal: values that make no trace are refused, each for its own reason. Method: one of each.
    @Test func refusals() {
        func refusal(
            _ form: RateTrace.Form,
            _ ending: RateTrace.Ending = .repeat,
            _ length: Int64? = 1000
        ) -> RateTraceError? {
            do {
                _ = try RateTrace(
                    form,
                    ending: ending,
                    length: length.map { Interval(nanoseconds: $0) }
                )
                return nil
            } catch {
                return error
            }
        }
        let fast: Int64 = 1_000_000_000
        #expect(refusal(.steps(starts: [], rates: [])) == .empty)
        #expect(refusal(.steps(starts: [1], rates: [fast])) == .doesNotStartAtZero)
        #expect(refusal(.steps(starts: [0, 5, 5], rates: [1, 1, 1])) == .outOfOrder(2))
        #expect(refusal(.steps(starts: [0, 5], rates: [1, -1])) == .rateOutOfRange(1))
        #expect(refusal(.steps(starts: [0], rates: [.max])) == .rateOutOfRange(0))
        #expect(refusal(.steps(starts: [0, 1000], rates: [1, 1])) == .endsTooEarly)
        #expect(refusal(.steps(starts: [0], rates: [1])) == .carriesNothing)
        #expect(refusal(.steps(starts: [0, 9], rates: [fast, 0]), .hold) == .endsInSilence)
        #expect(refusal(.steps(starts: [0, .max], rates: [1, 1]), .hold) == .tooLong)
        #expect(refusal(.opportunities([])) == .empty)
        #expect(refusal(.opportunities([5, 4])) == .outOfOrder(1))
        #expect(refusal(.opportunities([-1, 4])) == .outOfOrder(0))
        #expect(refusal(.opportunities([0]), .repeat, nil) == .endsTooEarly)
        #expect(refusal(.opportunities([5]), .hold) == .opportunitiesHeld)
        #expect(refusal(.steps(starts: [0], rates: [fast])) == nil)
    }
}
