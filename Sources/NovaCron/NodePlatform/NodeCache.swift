public import Effects
import Synchronization
public import Units

/// The node's cache: values that can be had again, in memory, shared by all components.
///
/// Bounds: `CacheTable.Limits`; a value lives for the given time to live at most.
public final class NodeCache: Sendable {
    private let clock: any EffectClock
    private let timeToLive: Interval
    private let state: Mutex<State>

    /// What was asked for since the node's start.
    public struct Statistics: Hashable, Sendable {
        public var hits: UInt64 = 0
        public var misses: UInt64 = 0
        public var entries = 0
        public var bytes = 0
    }

    private struct State {
        var table: CacheTable
        var hits: UInt64 = 0
        var misses: UInt64 = 0
    }

    public init(_ limits: CacheTable.Limits, timeToLive: Interval, clock: any EffectClock) {
        self.clock = clock
        self.timeToLive = timeToLive
        state = Mutex(State(table: CacheTable(limits)))
    }

    public func value(for key: String) -> [UInt8]? {
        let now = clock.now
        return state.withLock { state in
            let value = state.table.value(for: key, at: now)
            if value == nil { state.misses += 1 } else { state.hits += 1 }
            return value
        }
    }

    /// - Parameter timeToLive: at most the cache's own, which it is when none is given.
    /// - Returns: `false` when the value is too large to be kept.
    @discardableResult
    public func insert(_ value: [UInt8], for key: String, timeToLive: Interval? = nil) -> Bool {
        let now = clock.now
        let life = min(timeToLive ?? self.timeToLive, self.timeToLive)
        let entry = CacheTable.Entry(key: key, value: value, end: now.advanced(by: life))
        return state.withLock { $0.table.insert(entry, at: now) }
    }

    public func remove(_ key: String) {
        state.withLock { $0.table.remove(key) }
    }

    public var statistics: Statistics {
        state.withLock { state in
            Statistics(
                hits: state.hits,
                misses: state.misses,
                entries: state.table.count,
                bytes: state.table.bytes
            )
        }
    }

    /// What is worth keeping for the next life.
    public func snapshot() -> CacheSnapshot {
        let (now, wall) = (clock.now, clock.wallTime)
        let entries = state.withLock { $0.table.entries(at: now) }
        return CacheSnapshot(
            entries: entries.map { entry in
                CacheSnapshot.Entry(
                    key: entry.key,
                    value: entry.value,
                    end: wall + (entry.end - now)
                )
            }
        )
    }

    /// Takes over what an earlier life has kept, without what is over; an end that is further away
    /// than the time to live, as after a change of the clock, is brought nearer.
    func adopt(_ snapshot: CacheSnapshot) {
        let (now, wall) = (clock.now, clock.wallTime)
        state.withLock { state in
            for entry in snapshot.entries where wall < entry.end {
                let (left, overflow) = entry.end.nanoseconds
                    .subtractingReportingOverflow(wall.nanoseconds)
                let life = overflow ? timeToLive : min(Interval(nanoseconds: left), timeToLive)
                state.table.insert(
                    CacheTable.Entry(
                        key: entry.key,
                        value: entry.value,
                        end: now.advanced(by: life)
                    ),
                    at: now
                )
            }
        }
    }
}
