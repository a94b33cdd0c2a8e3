public import Effects
import Glibc
public import Units

/// CLOCK_MONOTONIC since the clock was made, and CLOCK_REALTIME.
public struct HostClock: EffectClock {
    /// CLOCK_MONOTONIC at this clock's time zero, in nanoseconds. All processes of a host share that
    /// clock, so whoever started this one can place its times.
    public let origin: Int64

    public init() {
        origin = HostClock.read(CLOCK_MONOTONIC)
    }

    public var now: Instant {
        Instant(nanoseconds: HostClock.read(CLOCK_MONOTONIC) - origin)
    }

    public var wallTime: WallTime { WallTime(nanoseconds: HostClock.read(CLOCK_REALTIME)) }

    public func sleep(until deadline: Instant) async throws {
        try Task.checkCancellation()
        await Task.yield()
        while true {
            let wait = deadline - now
            guard wait > .zero else { return }
            // In pieces: a deadline in the distant future would overflow the timer.
            try await Task.sleep(for: .nanoseconds(min(wait, .seconds(3600)).nanoseconds))
        }
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
