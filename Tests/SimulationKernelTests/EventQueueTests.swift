import SimulationKernel
import Testing
import Units

@Suite struct EventQueueTests {
    /// Goal: events of one nanosecond come by origin, then by the origin's own count.
    /// Method: schedule out of order, take all.
    @Test func ordersInsideOneNanosecond() {
        var queue = EventQueue<UInt32>(capacity: 4)
        var late = EventOrigin(EntityID(.node, 2))
        var early = EventOrigin(EntityID(.node, 1))
        let time = Instant(nanoseconds: 5)
        queue.schedule(20, at: time, from: &late)
        queue.schedule(21, at: time, from: &late)
        queue.schedule(10, at: time, from: &early)
        var seen: [UInt32] = []
        while let event = queue.next(notAfter: .distantFuture) { seen.append(event.payload) }
        #expect(seen == [10, 20, 21])
    }
}
