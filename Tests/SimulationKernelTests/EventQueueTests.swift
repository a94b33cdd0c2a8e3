import Determinism
import SimulationKernel
import Testing
import Units

@Suite struct EventQueueTests {
    /// Goal: events of one nanosecond come by origin, then by the origin's own count.
    /// Method: schedule out of order, take all.
    @Test func ordersInsideOneNanosecond() {
        let queue = QueueProbe<UInt32>(capacity: 4)
        var late = EventOrigin(EntityID(.node, 2))
        var early = EventOrigin(EntityID(.node, 1))
        let time = Instant(nanoseconds: 5)
        queue.schedule(20, at: time, from: &late)
        queue.schedule(21, at: time, from: &late)
        queue.schedule(10, at: time, from: &early)
        #expect(queue.drained() == [10, 20, 21])
    }

    /// Goal: an event scheduled for the current time while that time is being delivered takes its
    /// place by origin, before later origins that were scheduled earlier.
    /// Method: a crowd at one nanosecond, too large for a run, so that the heap path is taken too.
    @Test(arguments: [3 as UInt32, 500])
    func ordersEventsForTheCurrentTime(crowd: UInt32) throws {
        let queue = QueueProbe<UInt32>(capacity: 4)
        let time = Instant(nanoseconds: 1_000_000)
        var origins = (0..<crowd).map { EventOrigin(EntityID(.node, $0 * 2)) }
        for index in origins.indices.reversed() {
            queue.schedule(UInt32(index * 2), at: time, from: &origins[index])
        }
        let first = try #require(queue.next(notAfter: time))
        #expect(first.payload == 0)
        var between = EventOrigin(EntityID(.node, 1))
        queue.schedule(1, at: time, from: &between)
        queue.schedule(100_000, at: time + .nanoseconds(1), from: &between)
        let expected = [1] + (1..<crowd).map { $0 * 2 } + [100_000]
        #expect(queue.drained() == expected)
    }

    /// Goal: a limit stops delivery without losing or reordering anything, and events scheduled
    /// before a far event that was already looked at still come first.
    /// Method: ask with limits around a far event, then schedule nearer ones.
    @Test func limitsLeaveEventsInPlace() {
        let queue = QueueProbe<UInt32>(capacity: 4)
        var origin = EventOrigin(EntityID(.node, 0))
        queue.schedule(3, at: Instant(nanoseconds: 10_000_000_000), from: &origin)
        #expect(queue.next(notAfter: Instant(nanoseconds: 9_999_999_999))?.payload == nil)
        #expect(queue.next(notAfter: Instant(nanoseconds: -1))?.payload == nil)
        #expect(queue.nextTime == Instant(nanoseconds: 10_000_000_000))
        queue.schedule(1, at: .zero, from: &origin)
        queue.schedule(2, at: Instant(nanoseconds: 9_999_999_999), from: &origin)
        #expect(queue.nextTime == .zero)
        #expect(queue.count == 3)
        #expect(queue.drained() == [1, 2, 3])
    }

    /// Goal: every representable time works, up to the distant future.
    /// Method: the boundaries of all levels, scheduled backwards.
    @Test func farTimesKeepTheirOrder() {
        var times: Set<Int64> = [.max, .max - 1]
        for level in 0...10 {
            let edge = Int64(1) << (6 * Int64(level))
            times.formUnion([edge - 1, edge, edge + 1])
        }
        let sorted = times.sorted()
        let queue = QueueProbe<UInt32>(capacity: 1)
        var origin = EventOrigin(EntityID(.link, 0))
        for (index, time) in sorted.enumerated().reversed() {
            queue.schedule(UInt32(index), at: Instant(nanoseconds: time), from: &origin)
        }
        #expect(queue.drained() == (0..<UInt32(sorted.count)).map { $0 })
    }

    /// Goal: a token cancels its event once; delivered, cancelled and foreign tokens do nothing.
    /// Method: use tokens twice, after delivery, and after their slot was used again.
    @Test func staleTokensAreHarmless() throws {
        let queue = QueueProbe<UInt32>(capacity: 1)
        var origin = EventOrigin(EntityID(.node, 0))
        let cancelled = queue.schedule(1, at: Instant(nanoseconds: 10), from: &origin)
        #expect(queue.cancel(cancelled))
        #expect(!queue.cancel(cancelled))
        #expect(!queue.cancel(.none))
        #expect(queue.isEmpty)
        #expect(queue.nextTime == nil)
        let reused = queue.schedule(2, at: Instant(nanoseconds: 20), from: &origin)
        #expect(!queue.cancel(cancelled))
        let event = try #require(queue.next(notAfter: .distantFuture))
        #expect(event.payload == 2)
        #expect(event.sequence == 1)
        #expect(queue.now == Instant(nanoseconds: 20))
        #expect(!queue.cancel(reused))
        #expect(queue.next(notAfter: .distantFuture)?.payload == nil)
        #expect(queue.now == Instant(nanoseconds: 20), "nothing delivered, so time stands still")
    }

    /// Goal: a timer that is moved again and again neither grows the queue nor delays others.
    /// Method: arm and cancel 200,000 times beside one standing event.
    @Test func rearmedTimersDoNotAccumulate() throws {
        let queue = QueueProbe<UInt32>(capacity: 16)
        var origin = EventOrigin(EntityID(.node, 0))
        queue.schedule(1, at: Instant(nanoseconds: 5_000_000_000), from: &origin)
        var token = EventToken.none
        for step in 0..<200_000 as Range<Int64> {
            queue.cancel(token)
            token = queue.schedule(
                2,
                at: Instant(nanoseconds: 1_000_000_000 + step),
                from: &origin
            )
            #expect(queue.count == 2)
        }
        #expect(queue.storedEntries <= 2 + 1025)
        #expect(try #require(queue.next(notAfter: .distantFuture)).payload == 2)
        #expect(queue.drained() == [1])
    }

    /// Goal: sweeping out cancelled events keeps exact accounts and order, in the front as in the
    /// wheel.
    /// Method: a crowd in the current nanosecond and one far ahead; cancel nearly all of both.
    @Test func sweepsKeepTheRest() throws {
        let queue = QueueProbe<UInt32>(capacity: 16)
        var origin = EventOrigin(EntityID(.node, 0))
        let near = Instant(nanoseconds: 1_000)
        let tokens = (0..<6_000 as Range<UInt32>).map { index in
            let time = index % 2 == 0 ? near : near + .milliseconds(Int64(index))
            return queue.schedule(index, at: time, from: &origin)
        }
        #expect(try #require(queue.next(notAfter: near)).payload == 0)
        for (index, token) in tokens.enumerated() where index % 100 > 1 {
            #expect(queue.cancel(token))
            #expect(queue.storedEntries <= 2 * queue.count + 1_025)
        }
        #expect(queue.count == 119)
        let rest = (1..<6_000 as Range<UInt32>).filter { $0 % 100 < 2 }
        #expect(queue.drained() == rest.filter { $0 % 2 == 0 } + rest.filter { $0 % 2 == 1 })
        #expect(queue.storedEntries == 0)
    }

    /// Goal: one pending event takes at most one cache line for payloads of up to 32 bytes.
    /// Method: ask the layout.
    @Test func eventsFitOneCacheLine() {
        struct Payload: BitwiseCopyable {
            var words: (UInt64, UInt64, UInt64, UInt64)
        }
        #expect(MemoryLayout<Payload>.size == 32)
        #expect(EventQueue<Payload>.bytesPerEvent == 64)
        #expect(EventQueue<UInt32>.bytesPerEvent == 32)
    }
}
