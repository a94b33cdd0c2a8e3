import Glibc
import Units

/// Real time for capturing; runs never see it.
enum MonotonicTime {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Sleeps for at most `interval`; a signal ends it early.
    static func sleep(_ interval: Interval) {
        guard interval > .zero else { return }
        var time = timespec(
            tv_sec: Int(interval.nanoseconds / 1_000_000_000),
            tv_nsec: Int(interval.nanoseconds % 1_000_000_000)
        )
        nanosleep(&time, nil)
    }

    /// The date and time of day in UTC, ISO 8601, to the second.
    static var dateAndTime: String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let length = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
