import LinkModel
import Testing
import Units

/// What the pipe does to items of 1,000 bytes on 8 Mbit/s, one a millisecond, against tables that
/// were worked out by hand.
@Suite struct LinkPipeTests {
    static func pipe(
        _ change: (inout LinkParameters) -> Void = { _ in },
        seed: UInt64 = 1
    ) -> LinkPipe<UInt32> {
        var parameters = LinkParameters(
            rate: .megabits(8),
            propagation: .milliseconds(10),
            queueLimit: .mebibytes(1)
        )
        change(&parameters)
        return LinkPipe(parameters, entity: EntityID(.link, 0), seed: seed, filler: 0)
    }

    /// Offers `count` items at once and returns what arrives, in order, with the time in milliseconds.
    static func drain(
        _ pipe: inout LinkPipe<UInt32>,
        until end: Instant = .distantFuture
    ) -> [(item: UInt32, at: Double, flags: PassageFlags)] {
        var arrivals: [(UInt32, Double, PassageFlags)] = []
        while pipe.nextEvent != .distantFuture, pipe.nextEvent <= end {
            let due = pipe.nextEvent
            while let arrival = pipe.takeArrival(at: due) {
                arrivals.append(
                    (arrival.item, (arrival.time - .zero).milliseconds, arrival.flags)
                )
            }
        }
        return arrivals
    }

    static func offer(
        _ pipe: inout LinkPipe<UInt32>,
        _ items: Range<UInt32>,
        at milliseconds: Int64 = 0,
        flow: UInt32 = 0,
        ecn: Bool = false
    ) -> [LinkPipe<UInt32>.Fate] {
        items.map {
            pipe.offer(
                $0,
                wireBytes: 1000,
                flow: flow,
                isECNCapable: ecn,
                at: .zero + .milliseconds(milliseconds)
            )
        }
    }

    /// Goal: rate, delay and limit. Method: five items, room for three.
    @Test func dropTail() {
        var pipe = Self.pipe { $0.queueLimit = ByteCount(3500) }
        let fates = Self.offer(&pipe, 0..<5)
        #expect(fates == [.carried, .carried, .carried, .droppedByQueue, .droppedByQueue])
        #expect(pipe.nextEvent == .zero + .milliseconds(11))
        let arrivals = Self.drain(&pipe)
        #expect(arrivals.map(\.item) == [0, 1, 2])
        #expect(arrivals.map(\.at) == [11, 12, 13])
        #expect(pipe.discarded.isEmpty)
        #expect(pipe.nextEvent == .distantFuture)
    }

    /// Goal: a queue that never drops early serves as drop-tail does, although it decides later.
    /// Method: one flow, the same offers, equal arrivals and counters.
    @Test(arguments: [QueueDiscipline.coDel(ControlledDelay()), .fair(FairQueueing())])
    func managedAsDropTail(_ discipline: QueueDiscipline) {
        var plain = Self.pipe()
        var managed = Self.pipe { $0.discipline = discipline }
        for step in 0..<200 as Range<UInt32> {
            // Two now and then: the queue never stands for CoDel's interval.
            let count: UInt32 = step % 4 == 0 ? 3 : step % 4 == 2 ? 1 : 0
            let items = step * 3..<step * 3 + count
            _ = Self.offer(&plain, items, at: Int64(step))
            _ = Self.offer(&managed, items, at: Int64(step))
        }
        let end = Instant.zero + .seconds(1)
        let first = Self.drain(&plain)
        let second = Self.drain(&managed)
        #expect(first.map(\.item) == second.map(\.item))
        #expect(first.map(\.at) == second.map(\.at))
        #expect(first.count == 200)
        #expect(plain.counters(at: end) == managed.counters(at: end))
    }

    /// Goal: an outage loses what waits and tells which, whatever the discipline. Method: down at
    /// 2.5 ms of five items.
    @Test(arguments: [QueueDiscipline.dropTail, .coDel(ControlledDelay()), .fair(FairQueueing())])
    func outage(_ discipline: QueueDiscipline) {
        var pipe = Self.pipe { $0.discipline = discipline }
        _ = Self.offer(&pipe, 0..<5)
        let early = Self.drain(&pipe, until: .zero + .microseconds(2500))
        #expect(early.isEmpty)
        pipe.setUp(false, at: .zero + .microseconds(2500))
        #expect(pipe.discarded.sorted() == [2, 3, 4])
        #expect(Self.offer(&pipe, 5..<6, at: 3) == [.droppedByOutage])
        pipe.setUp(true, at: .zero + .milliseconds(4))
        #expect(Self.offer(&pipe, 6..<7, at: 4) == [.carried])
        let arrivals = Self.drain(&pipe)
        #expect(arrivals.map(\.item) == [0, 1, 6])
        #expect(arrivals.map(\.at) == [11, 12, 15])
        #expect(pipe.counters(at: .zero + .seconds(1)).droppedByOutage == 4)
    }

    /// Goal: what one item's longer delay held up arrives at twice the rate, not all at once. Method:
    /// 20 ms more for the first of sixty items; the line of the rate is met again at the fortieth.
    @Test func heldUp() {
        var pipe = Self.pipe()
        pipe.setExtraDelay(.milliseconds(20))
        _ = Self.offer(&pipe, 0..<1)
        pipe.setExtraDelay(.zero)
        _ = Self.offer(&pipe, 1..<60)
        let expected = (0..<60).map { max(11 + Double($0), 31 + Double($0) / 2) }
        #expect(expected[40] == 51 && expected[41] == 52)
        #expect(Self.drain(&pipe).map(\.at) == expected)
    }

    /// Goal: keeping order neither bunches items nor makes any wait longer than the longest delay; also
    /// when the rate changes under them. Method: 5,000 items under jitter, all gaps and waits.
    @Test(arguments: [false, true]) func orderlyJitter(_ changesRate: Bool) {
        var pipe = Self.pipe {
            $0.jitter = Jitter(.normal, scale: .milliseconds(30), limit: .milliseconds(100))
            $0.queueLimit = .gibibytes(1)
        }
        _ = Self.offer(&pipe, 0..<5000)
        var arrivals = Self.drain(&pipe, until: .zero + .milliseconds(2000))
        if changesRate { pipe.setRate(.megabits(16), at: .zero + .milliseconds(2000)) }
        let shortest = changesRate ? 0.25 : 0.5
        arrivals += Self.drain(&pipe)
        #expect(arrivals.map(\.item) == Array(0..<5000))
        let gaps = zip(arrivals, arrivals.dropFirst()).map { $1.at - $0.at }
        #expect(gaps.allSatisfy { $0 > shortest - 1e-3 }, "\(gaps.min()!)")
        // Nearly all of the time something is catching up.
        #expect(gaps.count { $0 < 0.5 + 1e-3 } > 2000)
        guard !changesRate else { return }
        #expect(arrivals.allSatisfy { $0.at <= Double($0.item) + 11 + 100 })
    }

    /// Goal: who is late gets late arrivals, not other ones: real time slips, virtual time does not.
    /// Method: one pipe asked at every event, its twin now and then.
    @Test(arguments: [QueueDiscipline.dropTail, .fairCoDel(FairQueueing(), ControlledDelay())])
    func lateCallers(_ discipline: QueueDiscipline) {
        func pipe() -> LinkPipe<UInt32> {
            Self.pipe {
                $0.discipline = discipline
                $0.jitter = Jitter(.lognormal, scale: .milliseconds(1), reorders: true)
                $0.loss = .gilbert(rate: .percent(3), burst: 4)
            }
        }
        var punctual = pipe()
        var late = pipe()
        var first: [(item: UInt32, at: Double, flags: PassageFlags)] = []
        var second = first
        for step in 0..<400 as Range<UInt32> {
            let now = Instant.zero + .milliseconds(Int64(step))
            first += Self.drain(&punctual, until: now)
            let count: UInt32 = step < 200 ? 2 : 0
            for item in step * 2..<step * 2 + count {
                _ = punctual.offer(item, wireBytes: 1000, flow: item % 3, at: now)
                _ = late.offer(item, wireBytes: 1000, flow: item % 3, at: now)
            }
            if step % 37 == 0 {
                while let arrival = late.takeArrival(at: now) {
                    second.append((arrival.item, (arrival.time - .zero).milliseconds, []))
                }
            }
        }
        first += Self.drain(&punctual)
        second += Self.drain(&late)
        #expect(first.map(\.item) == second.map(\.item))
        #expect(first.map(\.at) == second.map(\.at))
        #expect(first.count > 150)
    }

    /// Goal: faults on the way have the shares they were given, tell what they did, and delay only
    /// what they held. Method: 100,000 items, each share counted within four standard deviations.
    @Test func faults() {
        var pipe = Self.pipe {
            $0.faults = PacketFaults(
                duplicate: .percent(0.5),
                corrupt: .percent(0.1),
                reorder: .percent(2),
                hold: .milliseconds(25)
            )
        }
        let count: UInt32 = 100_000
        var arrivals: [(item: UInt32, at: Double, flags: PassageFlags)] = []
        for item in 0..<count {
            _ = Self.offer(&pipe, item..<item + 1, at: Int64(item))
            arrivals += Self.drain(&pipe, until: .zero + .milliseconds(Int64(item)))
        }
        arrivals += Self.drain(&pipe)
        let originals = arrivals.filter { !$0.flags.contains(.isCopy) }
        #expect(originals.map(\.item).sorted() == Array(0..<count))
        func check(_ found: Int, _ share: Double, _ name: String) {
            let mean = Double(count) * share
            #expect(abs(Double(found) - mean) < 4 * mean.squareRoot(), "\(found) \(name)")
        }
        let copies = arrivals.count - originals.count
        check(copies, 0.005, "copies")
        #expect(arrivals.count { $0.flags.contains(.hasCopy) } == copies)
        let spoiled = originals.count { $0.flags.contains(.corrupted) }
        check(spoiled, 0.001, "spoiled")
        let held = originals.filter { $0.at == Double($0.item) + 11 + 25 }
        check(held.count, 0.02, "held")
        #expect(originals.count { $0.at == Double($0.item) + 11 } == Int(count) - held.count)
        let counters = pipe.counters(at: .zero + .seconds(200))
        #expect(counters.duplicated == UInt64(copies))
        #expect(counters.corrupted == UInt64(spoiled))
        #expect(counters.reordered == UInt64(held.count))
    }

    /// Goal: a copy comes after its original, even on a link that reorders. Method: order of every
    /// pair.
    @Test func copiesFollow() {
        var pipe = Self.pipe {
            $0.faults = PacketFaults(duplicate: .percent(50))
            $0.jitter = Jitter(.uniform, scale: .milliseconds(40), reorders: true)
        }
        _ = Self.offer(&pipe, 0..<500)
        var waiting: Set<UInt32> = []
        for arrival in Self.drain(&pipe) {
            if arrival.flags.contains(.hasCopy) { waiting.insert(arrival.item) }
            if arrival.flags.contains(.isCopy) { #expect(waiting.remove(arrival.item) != nil) }
        }
        #expect(waiting.isEmpty)
    }

    /// Goal: correlated loss keeps its mean and correlates. Method: 200,000 packets; the share that is
    /// lost after a loss is p + ρ(1 − p).
    @Test(arguments: [0.0, 0.25, 0.9]) func correlatedLoss(_ correlation: Double) {
        let rate = 0.05
        var pipe = Self.pipe {
            $0.loss = .correlated(rate: Ratio(rate), correlation: Ratio(correlation))
            $0.queueLimit = .gibibytes(1)
        }
        let fates = Self.offer(&pipe, 0..<200_000)
        let lost = fates.count { $0 == .droppedByLoss }
        #expect(abs(Double(lost) / 200_000 - rate) < 0.1 * rate / (1 - correlation).squareRoot())
        let pairs = zip(fates, fates.dropFirst())
            .count { $0 == .droppedByLoss && $1 == .droppedByLoss }
        let wanted = rate + correlation * (1 - rate)
        #expect(abs(Double(pairs) / Double(lost) - wanted) < 0.02, "\(pairs) of \(lost)")
    }
}
