import Glibc

/// Processor time of the calling thread, which other load on the machine disturbs least.
public enum ProcessorTime {
    public static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
