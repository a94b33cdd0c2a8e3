import KernelWorkloads

/// A ratio of two rates that must not fall below a bound.
struct Gate {
    let name: String
    /// The contender's rate over the reference's.
    let required: Double
    let ratios: [Double]
    /// Medians in millions of events per processor second.
    let contender: Double
    let reference: Double

    var median: Double { Gate.median(ratios) }
    var passes: Bool { median >= required }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The kernel's queue against the heap under the hold model.
    ///
    /// Both run alternately in short slices, so that other load hits both alike, and each pair of
    /// slices gives one ratio. Their orders of events must be equal.
    static func hold(pending: Int, slice: Int, pairs: Int, required: Double) -> Gate {
        let increments = Hold.Increments(seed: 1)
        var queue = HoldWithEventQueue(pending: pending, increments: increments)
        var heap = HoldWithHeap(pending: pending, increments: increments)
        // One life of the pending events, after which both are in their steady state.
        _ = queue.run(pending * 2)
        _ = heap.run(pending * 2)
        var times: [(queue: Double, heap: Double)] = []
        for _ in 0..<pairs {
            let start = ProcessorTime.seconds
            let queueOrder = queue.run(slice)
            let middle = ProcessorTime.seconds
            let heapOrder = heap.run(slice)
            let end = ProcessorTime.seconds
            precondition(queueOrder == heapOrder, "queue and heap disagree about the order")
            times.append((middle - start, end - middle))
        }
        let rate = Double(slice) / 1e6
        return Gate(
            name: "hold, \(pending) pending, queue over heap",
            required: required,
            ratios: times.map { $0.heap / $0.queue },
            contender: rate / median(times.map(\.queue)),
            reference: rate / median(times.map(\.heap))
        )
    }
}
