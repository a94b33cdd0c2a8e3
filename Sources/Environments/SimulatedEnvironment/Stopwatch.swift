import Glibc

/// Processor time of the calling thread, for reporting what a run cost; no result depends on it.
///
/// Processor time and not wall time, because the machine's other work must not look like ours.
struct Stopwatch {
    private var started = 0.0
    /// Seconds between starts and stops so far.
    private(set) var elapsed = 0.0

    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    mutating func start() { started = Stopwatch.now }
    mutating func stop() { elapsed += Stopwatch.now - started }
}
