import LinkModel
import Testing
import Units

/// CoDel and fair queues against the cases that RFC 8289 and RFC 8290 spell out.
@Suite struct QueueDisciplineTests {
    typealias Pipe = LinkPipe<UInt32>

    /// Keeps the link of 8 Mbit/s overloaded by a packet a millisecond more than it sends, and
    /// returns the times at which the queue dropped or marked.
    static func overload(
        _ pipe: inout Pipe,
        milliseconds: Range<Int64>,
        perMillisecond: Int = 2,
        ecn: Bool = false
    ) -> [Int64] {
        var acts: [Int64] = []
        var item: UInt32 = 0
        let start = Instant.zero + .milliseconds(milliseconds.lowerBound)
        while pipe.takeArrival(at: start) != nil {}
        let earlier = pipe.counters(at: start)
        var before = earlier.droppedEarly + earlier.marked
        for time in milliseconds {
            let now = Instant.zero + .milliseconds(time)
            while pipe.takeArrival(at: now) != nil {}
            for _ in 0..<perMillisecond {
                _ = pipe.offer(item, wireBytes: 1000, isECNCapable: ecn, at: now)
                item += 1
            }
            let counters = pipe.counters(at: now)
            let after = counters.droppedEarly + counters.marked
            for _ in before..<after { acts.append(time) }
            before = after
        }
        return acts
    }

    static func coDel(marks: Bool = false) -> Pipe {
        LinkPipeTests.pipe { $0.discipline = .coDel(ControlledDelay(marks: marks)) }
    }

    /// Goal: nothing is dropped before the wait stood above the target for an interval; then the
    /// gaps shrink as interval / √count (section 5.1). Method: overload. Waits pass 5 ms with
    /// the packet that leaves at 10 or 11 ms, so that the first drop is due 100 ms later, and the next
    /// 100/√1, 100/√2, 100/√3 … ms after one another.
    @Test func controlLaw() {
        var pipe = Self.coDel()
        let drops = Self.overload(&pipe, milliseconds: 0..<700)
        #expect((108...113).contains(drops[0]), "first drop at \(drops[0])")
        var due = Double(drops[0])
        for (index, drop) in drops.prefix(12).enumerated() {
            #expect(abs(Double(drop) - due) <= 2, "drop \(index) at \(drop), due \(due)")
            due += 100 / Double(index + 1).squareRoot()
        }
        #expect(pipe.discarded.count == drops.count)
        // Dropped from the head: older than everything that waits.
        #expect(pipe.discarded.first! < 250)
    }

    /// Goal: marks take the place of drops for those who understand them, at the same times. Method:
    /// the same overload with ECN.
    @Test func marking() {
        var dropping = Self.coDel()
        var marking = Self.coDel(marks: true)
        let drops = Self.overload(&dropping, milliseconds: 0..<300)
        let marks = Self.overload(&marking, milliseconds: 0..<300, ecn: true)
        #expect(marking.counters(at: .zero + .milliseconds(300)).droppedEarly == 0)
        #expect(marking.discarded.isEmpty)
        #expect(zip(drops, marks).allSatisfy { abs($0 - $1) <= 3 }, "\(drops) and \(marks)")
        var unable = Self.coDel(marks: true)
        #expect(Self.overload(&unable, milliseconds: 0..<300) == drops)
    }

    /// Goal: a marked item says so when it arrives. Method: count marks at both ends.
    @Test func marksArrive() {
        var pipe = Self.coDel(marks: true)
        _ = Self.overload(&pipe, milliseconds: 0..<300, ecn: true)
        let before = pipe.counters(at: .zero + .milliseconds(300)).marked
        _ = LinkPipeTests.drain(&pipe)
        var fresh = Self.coDel(marks: true)
        for item in 0..<400 as Range<UInt32> {
            _ = fresh.offer(item, wireBytes: 1000, isECNCapable: true, at: .zero)
        }
        let arrivals = LinkPipeTests.drain(&fresh)
        let counters = fresh.counters(at: .zero + .seconds(1))
        #expect(before > 0)
        #expect(counters.marked > 0)
        #expect(arrivals.count { $0.flags.contains(.marked) } == Int(counters.marked))
    }

    /// Goal: dropping stops once the wait is below the target, and soon after it resumes near the
    /// last rate instead of from one (section 5.3). Method: overload, a pause of 1.2 s (the queue
    /// of half a second drains and stays empty), overload again; and a pause beyond 16 intervals.
    @Test func memory() {
        func gaps(pause: Int64) -> (Int, Int64) {
            var pipe = Self.coDel()
            let first = Self.overload(&pipe, milliseconds: 0..<500)
            let start = 500 + pause
            let again = Self.overload(&pipe, milliseconds: start..<start + 400)
            return (first.count, again[1] - again[0])
        }
        let soon = gaps(pause: 1200)
        #expect(soon.0 > 5)
        #expect(soon.1 < 60, "resumes with a gap of \(soon.1) ms")
        let later = gaps(pause: 4000)
        #expect((98...102).contains(later.1), "starts again with a gap of \(later.1) ms")
    }

    /// Goal: a queue of one full packet is left alone, however long it waits. Method: 100 kbit/s,
    /// where a packet of 1,000 bytes takes 80 ms.
    @Test func lastPacket() {
        var pipe = LinkPipeTests.pipe {
            $0.discipline = .coDel(ControlledDelay())
            $0.rate = BitRate(bitsPerSecond: 100_000)
        }
        for step in 0..<50 as Range<Int64> {
            let now = Instant.zero + .milliseconds(step * 80)
            while pipe.takeArrival(at: now) != nil {}
            for _ in 0..<(step == 0 ? 2 : 1) { _ = pipe.offer(0, wireBytes: 1000, at: now) }
        }
        #expect(pipe.counters(at: .zero + .seconds(4)).droppedEarly == 0)
    }

    /// Goal: flows share in bytes, not in packets (RFC 8290, section 4.1). Method: one flow of 1,500
    /// and one of 300 bytes, both with far more to send than the link takes.
    @Test(arguments: [
        QueueDiscipline.fair(FairQueueing()),
        .fairCoDel(FairQueueing(), ControlledDelay(target: .seconds(5))),
    ])
    func shares(_ discipline: QueueDiscipline) {
        var pipe = LinkPipeTests.pipe { $0.discipline = discipline }
        for item in 0..<300 as Range<UInt32> {
            _ = pipe.offer(item, wireBytes: 1500, flow: 1, at: .zero)
            for _ in 0..<5 { _ = pipe.offer(item, wireBytes: 300, flow: 2, at: .zero) }
        }
        var bytes: [Int: Int] = [:]
        while let arrival = pipe.takeArrival(at: .zero + .milliseconds(510)) {
            bytes[arrival.wireBytes, default: 0] += arrival.wireBytes
        }
        #expect(abs(bytes[1500]! - bytes[300]!) <= 3100, "\(bytes)")
        #expect(bytes[1500]! + bytes[300]! >= 496_000)
    }

    /// Goal: a flow that sends little goes ahead of one that fills the queue (section 4.2: new
    /// flows first). Method: 100 packets of one flow, then one of another: it is the next to leave.
    @Test func newFlowsFirst() {
        var pipe = LinkPipeTests.pipe { $0.discipline = .fair(FairQueueing()) }
        _ = LinkPipeTests.offer(&pipe, 0..<100, flow: 1)
        _ = LinkPipeTests.offer(&pipe, 100..<101, at: 10, flow: 2)
        let order = LinkPipeTests.drain(&pipe).map(\.item)
        let place = order.firstIndex(of: 100)!
        // One is in service, and the first flow may have its turn of 1,514 bytes once.
        #expect((11...13).contains(place), "left as number \(place)")
    }

    /// Goal: an overflow takes from the longest flow, from its head, and leaves others alone (section
    /// 4.1). Method: room for 20 packets; one flow sends 60, another two.
    @Test func overflow() {
        var pipe = LinkPipeTests.pipe {
            $0.discipline = .fair(FairQueueing())
            $0.queueLimit = ByteCount(20_000)
        }
        _ = LinkPipeTests.offer(&pipe, 0..<2, flow: 7)
        _ = LinkPipeTests.offer(&pipe, 100..<160, flow: 1)
        #expect(pipe.discarded.allSatisfy { $0 >= 100 })
        #expect(Array(pipe.discarded) == pipe.discarded.sorted())
        let dropped = pipe.discarded.count
        #expect(pipe.counters(at: .zero).droppedByQueue == UInt64(dropped))
        #expect(pipe.occupancy(at: .zero) <= ByteCount(20_000))
        let arrivals = LinkPipeTests.drain(&pipe).map(\.item)
        #expect(arrivals.count == 62 - dropped)
        #expect(arrivals.contains(159) && arrivals.contains(0) && arrivals.contains(1))
    }

    /// Goal: which flows share a queue depends on the seed only. Method: many flows on few queues;
    /// orders of equal and of other seeds.
    @Test func perturbation() {
        func order(_ seed: UInt64) -> [UInt32] {
            var pipe = LinkPipeTests.pipe(
                { $0.discipline = .fair(FairQueueing(quantum: 1000, queues: 4)) },
                seed: seed
            )
            for flow in 0..<40 as Range<UInt32> {
                _ = LinkPipeTests.offer(&pipe, flow * 3..<flow * 3 + 3, flow: flow)
            }
            return LinkPipeTests.drain(&pipe).map(\.item)
        }
        #expect(order(1) == order(1))
        #expect(order(1) != order(2))
        #expect(order(1).sorted() == Array(0..<120))
    }
}
