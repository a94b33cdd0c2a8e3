public import Units

/// The cores of one node: jobs start in the order in which they were handed over, each on the core
/// that is free first, and run to their end.
///
/// With more jobs than cores the later ones wait, so contention shows in the finishing times.
public struct CoreSchedule: Sendable {
    /// When each core has finished everything given to it.
    private var freeAt: [Instant]
    /// Time for which cores were given work, summed over cores.
    public private(set) var busy = Interval.zero

    /// When and where a job runs.
    public struct Slot: Hashable, Sendable {
        public let core: Int
        public let start: Instant
        public let finish: Instant

        public init(core: Int, start: Instant, finish: Instant) {
            self.core = core
            self.start = start
            self.finish = finish
        }
    }

    /// Traps when `cores` is not positive.
    public init(cores: Int, at now: Instant = .zero) {
        precondition(cores > 0, "a node with \(cores) cores")
        freeAt = Array(repeating: now, count: cores)
    }

    public var cores: Int { freeAt.count }

    /// Gives a job that is ready at `ready` to the core that is free first, the lowest-numbered of
    /// several. Jobs come in the order of their `ready` times. Traps for a negative duration.
    public mutating func schedule(ready: Instant, duration: Interval) -> Slot {
        precondition(duration >= .zero, "a job of \(duration)")
        var core = 0
        for candidate in 1..<freeAt.count where freeAt[candidate] < freeAt[core] {
            core = candidate
        }
        let start = max(ready, freeAt[core])
        let finish = start + duration
        freeAt[core] = finish
        busy += duration
        return Slot(core: core, start: start, finish: finish)
    }

    /// Forgets running and waiting jobs, as a crash does; all cores are free at `now`.
    public mutating func drop(at now: Instant) {
        for core in freeAt.indices {
            busy = busy - (freeAt[core] > now ? freeAt[core] - now : .zero)
            freeAt[core] = now
        }
    }
}
