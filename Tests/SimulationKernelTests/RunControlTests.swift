import SimulationKernel
import Testing
import Units

@Suite struct RunControlTests {
    private func queue(of count: Int64) -> EventQueue<UInt32> {
        var queue = EventQueue<UInt32>(capacity: 8)
        var origin = EventOrigin(EntityID(.node, 0))
        for index in 0..<count {
            queue.schedule(UInt32(index), at: Instant(nanoseconds: index * 10), from: &origin)
        }
        return queue
    }

    private func expect(
        _ result: (RunEnd?, UInt64),
        _ expected: (RunEnd, UInt64),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(result.0 == expected.0, sourceLocation: sourceLocation)
        #expect(result.1 == expected.1, sourceLocation: sourceLocation)
    }

    private func run(
        _ limits: RunLimits,
        on queue: inout EventQueue<UInt32>,
        isCancelled: @escaping () -> Bool = { false }
    ) -> (RunEnd?, UInt64) {
        var control = RunControl(limits, isCancelled: isCancelled)
        while control.next(of: &queue) != nil {}
        return (control.end, control.delivered)
    }

    /// Goal: each reason to end is told apart, and the count is exact.
    /// Method: one run per reason over 100 events, 10 ns apart.
    @Test func tellsWhyARunEnded() {
        var all = queue(of: 100)
        expect(run(RunLimits(), on: &all), (.drained, 100))
        var timed = queue(of: 100)
        expect(run(RunLimits(time: Instant(nanoseconds: 495)), on: &timed), (.reachedTime, 50))
        #expect(timed.count == 50)
        expect(run(RunLimits(), on: &timed), (.drained, 50))
        var counted = queue(of: 100)
        expect(run(RunLimits(events: 7, cancellationStride: 5), on: &counted), (.eventLimit, 7))
        var none = queue(of: 1)
        expect(run(RunLimits(events: 0), on: &none), (.eventLimit, 0))
    }

    /// Goal: the cancellation source is asked once a stride and stops the run where it says so.
    /// Method: a source that counts its calls and cancels at the third.
    @Test func asksForCancellationOnceAStride() {
        var queue = queue(of: 100)
        var asked = 0
        let result = run(RunLimits(cancellationStride: 16), on: &queue) {
            asked += 1
            return asked == 3
        }
        expect(result, (.cancelled, 32))
        #expect(asked == 3)
    }

    /// Goal: a cancelled run can go on, and then ends for its own reason.
    /// Method: cancel at once, then not at all, on one control.
    @Test func continuesAfterCancellation() {
        var queue = queue(of: 3)
        var isCancelled = true
        var control = RunControl(RunLimits()) { isCancelled }
        var event = control.next(of: &queue)
        #expect(event?.payload == nil)
        #expect(control.end == .cancelled)
        isCancelled = false
        for index in 0..<3 as Range<UInt32> {
            event = control.next(of: &queue)
            #expect(event?.payload == index)
        }
        event = control.next(of: &queue)
        #expect(event?.payload == nil)
        #expect(control.end == .drained)
    }
}
