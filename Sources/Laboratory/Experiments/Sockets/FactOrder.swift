package import Units

/// Puts what several processes tell into one order in which it can have happened.
///
/// Each process tells its facts through a pipe of its own, so that an effect may arrive before its cause. All
/// stamp their facts by the clock that they share, with the time at which the step began that tells them,
/// and nobody meets an effect of a step before its facts are in the pipe (see `SocketNode`). The order of
/// the stamps is then an order of cause and effect; facts wait here for `patience`, until those before them
/// have come.
///
/// A process that stands still in the middle of a step tells that step's facts later than that. Nobody has
/// met the step's effects, so it may as well have happened late, and so may its facts. Facts of several
/// steps that come late were held up on their way: nobody knows any more what they came before, and the
/// order is broken.
///
/// Bounds: what is told within `patience` waits.
package struct FactOrder<Event> {
    package struct Fact {
        package let time: Instant
        package let node: Int
        package let event: Event
    }

    /// Zero hands facts on as they come, in no order that can be broken.
    package let patience: Interval
    /// Ascending from `first` on; equal times in the order of arrival.
    private var waiting: [Fact] = []
    private var first = 0
    /// Of the newest fact that was handed on.
    private var newest = Instant(nanoseconds: .min)
    /// By node: the step whose facts came late, until one in time has come.
    private var lateSteps: [Instant?]
    /// Facts that came late from processes that stood still.
    package private(set) var lateCount = 0
    /// The first fact that came too late to be put in order.
    package private(set) var breach: (node: Int, time: Instant)?

    package init(nodes: Int, patience: Interval) {
        self.patience = patience
        lateSteps = Array(repeating: nil, count: nodes)
    }

    package mutating func add(_ event: Event, of node: Int, at time: Instant) {
        if patience > .zero { judge(node, time) }
        var place = waiting.endIndex
        while place > first, waiting[place - 1].time > time { place -= 1 }
        waiting.insert(Fact(time: time, node: node, event: event), at: place)
    }

    private mutating func judge(_ node: Int, _ time: Instant) {
        guard time < newest else {
            lateSteps[node] = nil
            return
        }
        if lateSteps[node] ?? time == time {
            lateSteps[node] = time
            lateCount += 1
        } else if breach == nil {
            breach = (node, time)
        }
    }

    /// The next fact, where it happened at `now` less the patience or before.
    package mutating func next(at now: Instant) -> Fact? {
        guard patience > .zero else { return next(upTo: .distantFuture) }
        return next(upTo: now - patience)
    }

    /// The next fact, where it happened at `time` or before.
    mutating func next(upTo time: Instant) -> Fact? {
        guard first < waiting.count, waiting[first].time <= time else { return nil }
        let fact = waiting[first]
        first += 1
        if first == waiting.count || first > 4_096 {
            waiting.removeSubrange(..<first)
            first = 0
        }
        newest = max(newest, fact.time)
        return fact
    }
}
