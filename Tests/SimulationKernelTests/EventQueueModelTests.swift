import Determinism
import SimulationKernel
import Testing
import Units

/// The queue against an oracle that cannot be wrong: an array in which the least key is searched.
@Suite struct EventQueueModelTests {
    /// Goal: equal to the oracle in every answer, for crowds in one nanosecond as for spans of
    /// years, with cancellation, limits and growth.
    /// Method: random operations on both, compared one by one.
    @Test(arguments: 0..<120 as Range<UInt64>)
    func behavesLikeASortedArray(seed: UInt64) {
        var driver = ModelDriver(seed: seed)
        for _ in 0..<4_000 { driver.step() }
        driver.drain()
    }
}

/// Applies one random operation after another to a queue and to its oracle.
struct ModelDriver: ~Copyable {
    struct Event {
        var time: Int64
        var origin: EntityID
        var sequence: UInt64
        var payload: UInt64
        var token: EventToken
    }

    let queue = QueueProbe<UInt64>(capacity: 1)
    var pending: [Event] = []
    var finished: [EventToken] = []
    var origins: [EventOrigin]
    var random: SeededRandom
    var now: Int64 = 0
    var scheduled: UInt64 = 0
    /// Delays have at most this many bits; few bits crowd events into the same nanoseconds.
    let delayBits: UInt64
    /// Whether most events are cancelled, so that sweeps happen.
    let cancelsMost: Bool
    /// How full the queue tends to be.
    let target: Int

    init(seed: UInt64) {
        random = SeededRandom(seed: seed, entity: EntityID(.experiment, 0), purpose: "model")
        delayBits = [1, 4, 8, 14, 22, 34, 48, 62][Int(seed % 8)]
        target = [5, 40, 300, 1500][Int(seed / 8 % 4)]
        cancelsMost = seed % 3 == 0
        origins = (0..<9).map { EventOrigin(EntityID(.node, $0)) }
    }

    mutating func step() {
        let shortage = pending.count < target
        switch random.below(100) {
        case 0..<(shortage ? 60 : 35):
            schedule()
            for _ in 0..<(cancelsMost ? 3 : 0) {
                schedule()
                cancelPending()
            }
        case 60..<72: cancelPending()
        case 72..<75: cancelFinished()
        case 75..<78: take(notAfter: limit(), repeating: 50)
        case 78..<80: #expect(queue.nextTime?.nanoseconds == earliest.map { pending[$0].time })
        default: take(notAfter: limit(), repeating: 1)
        }
        #expect(queue.count == pending.count)
    }

    mutating func drain() {
        take(notAfter: .max, repeating: pending.count)
        #expect(queue.next(notAfter: .distantFuture)?.payload == nil)
        #expect(queue.isEmpty)
        #expect(queue.storedEntries == 0, "cancelled entries are all accounted for")
    }

    private mutating func schedule() {
        let bits = random.below(delayBits + 1)
        let delay = Int64(random.next() & ((1 << bits) - 1))
        let time = now.addingReportingOverflow(delay).overflow ? Int64.max : now + delay
        let origin = Int(random.below(UInt64(origins.count)))
        let sequence = origins[origin].nextSequence
        scheduled += 1
        let token = queue.schedule(
            scheduled,
            at: Instant(nanoseconds: time),
            from: &origins[origin]
        )
        pending.append(
            Event(
                time: time,
                origin: origins[origin].entity,
                sequence: sequence,
                payload: scheduled,
                token: token
            )
        )
    }

    private mutating func cancelPending() {
        guard !pending.isEmpty else { return }
        let victim = pending.remove(at: Int(random.below(UInt64(pending.count))))
        #expect(queue.cancel(victim.token))
        finished.append(victim.token)
    }

    private mutating func cancelFinished() {
        guard !finished.isEmpty else { return }
        #expect(!queue.cancel(finished[Int(random.below(UInt64(finished.count)))]))
    }

    private mutating func limit() -> Int64 {
        guard random.below(3) == 0 else { return .max }
        let ahead = Int64(random.next() & ((1 << random.below(delayBits + 1)) - 1))
        return now.addingReportingOverflow(ahead).overflow ? .max : now + ahead
    }

    private var earliest: Int? {
        pending.indices.min { left, right in
            let (a, b) = (pending[left], pending[right])
            return (a.time, a.origin, a.sequence) < (b.time, b.origin, b.sequence)
        }
    }

    private mutating func take(notAfter limit: Int64, repeating count: Int) {
        for _ in 0..<count {
            let event = queue.next(notAfter: Instant(nanoseconds: limit))
            guard let index = earliest, pending[index].time <= limit else {
                #expect(event?.payload == nil)
                return
            }
            let expected = pending.remove(at: index)
            now = expected.time
            finished.append(expected.token)
            #expect(event?.payload == expected.payload)
            #expect(event?.time.nanoseconds == expected.time)
            #expect(event?.origin == expected.origin)
            #expect(event?.sequence == expected.sequence)
            #expect(queue.now.nanoseconds == now)
        }
    }
}
