import Determinism
import HeapModule
import SimulationKernel
import Units

/// The hold model (Jones, "An Empirical Comparison of Priority-Queue and Event-Set
/// Implementations", CACM 1986): take the earliest event, schedule another a random time later, so
/// that the number of pending events stays the same.
public enum Hold {
    /// Exponential increments with a mean of 100 ms, drawn beforehand, so that only queues are timed.
    public struct Increments: Sendable {
        let values: [Int64]

        public init(seed: UInt64) {
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.experiment, 0),
                purpose: "hold increments"
            )
            values = (0..<Increments.count).map { _ in
                Int64(random.exponential(mean: 100_000_000))
            }
        }

        static var count: Int { 1 << 16 }

        @inline(__always)
        subscript(_ index: Int) -> Int64 { values[index & (Increments.count - 1)] }
    }

    static var entities: Int { 1024 }
}

/// The kernel's queue under the hold model.
public struct HoldWithEventQueue: ~Copyable {
    var queue: EventQueue<UInt32>
    var origins: [EventOrigin]
    let increments: Hold.Increments
    var step = 0

    public init(pending: Int, increments: Hold.Increments) {
        queue = EventQueue(capacity: pending)
        origins = (0..<Hold.entities).map { EventOrigin(EntityID(.node, UInt32($0))) }
        self.increments = increments
        for index in 0..<pending {
            schedule(UInt32(truncatingIfNeeded: index), after: Instant.zero)
        }
    }

    private mutating func schedule(_ payload: UInt32, after time: Instant) {
        let origin = Int(payload) & (Hold.entities - 1)
        queue.schedule(
            payload,
            at: Instant(nanoseconds: time.nanoseconds &+ increments[step]),
            from: &origins[origin]
        )
        step &+= 1
    }

    /// Runs `count` holds and returns a checksum of the order of events.
    public mutating func run(_ count: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<count {
            guard let event = queue.next(notAfter: .distantFuture) else { break }
            sum = sum &* 31 &+ UInt64(event.payload) &+ UInt64(bitPattern: event.time.nanoseconds)
            schedule(event.payload, after: event.time)
        }
        return sum
    }
}

/// The heap of swift-collections under the hold model, with the same order of events.
public struct HoldWithHeap: ~Copyable {
    struct Entry: Comparable {
        var time: Int64
        var sequence: UInt64
        var origin: UInt32
        var payload: UInt32

        static func < (left: Entry, right: Entry) -> Bool {
            left.time == right.time
                ? (left.origin == right.origin
                    ? left.sequence < right.sequence : left.origin < right.origin)
                : left.time < right.time
        }
    }

    var heap = Heap<Entry>()
    var sequences: [UInt64]
    let increments: Hold.Increments
    var step = 0

    public init(pending: Int, increments: Hold.Increments) {
        heap.reserveCapacity(pending)
        sequences = Array(repeating: 0, count: Hold.entities)
        self.increments = increments
        for index in 0..<pending {
            schedule(UInt32(truncatingIfNeeded: index), after: 0)
        }
    }

    private mutating func schedule(_ payload: UInt32, after time: Int64) {
        let origin = Int(payload) & (Hold.entities - 1)
        heap.insert(
            Entry(
                time: time &+ increments[step],
                sequence: sequences[origin],
                origin: UInt32(origin),
                payload: payload
            )
        )
        sequences[origin] &+= 1
        step &+= 1
    }

    /// Runs `count` holds and returns a checksum of the order of events.
    public mutating func run(_ count: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<count {
            guard let entry = heap.popMin() else { break }
            sum = sum &* 31 &+ UInt64(entry.payload) &+ UInt64(bitPattern: entry.time)
            schedule(entry.payload, after: entry.time)
        }
        return sum
    }
}
