import CLinuxNetwork
import Glibc

/// A thread of this room: emulation must not wait for the scheduler's fairness, and namespaces belong
/// to threads, so both need threads of the system.
struct RelayThread: Sendable {
    private let handle: pthread_t

    static func run(_ body: @escaping @Sendable () -> Void) -> RelayThread {
        let box = Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let code = pthread_create(
            &handle,
            nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        precondition(code == 0, "no thread could be started: \(String(cString: strerror(code)))")
        return RelayThread(handle: handle)
    }

    func join() { pthread_join(handle, nil) }

    /// Puts the calling thread before all ordinary ones (SCHED_FIFO, sched(7)) and lets its sleeps
    /// end when they should (timer slack of 1 ns, proc(5)). Whether both worked.
    static func becomeUrgent() -> Bool {
        var parameters = sched_param()
        parameters.sched_priority = 50
        let isFirst = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters) == 0
        // Threads under SCHED_FIFO have no slack; for all others it is 50 µs.
        if let file = try? Descriptor(opening: "/proc/thread-self/timerslack_ns", O_WRONLY, "") {
            _ = write(file.rawValue, "1", 1)
        }
        return isFirst
    }

    /// Puts the calling thread behind all ordinary ones. Whether that worked.
    static func becomeIdle() -> Bool {
        var parameters = sched_param()
        return pthread_setschedparam(pthread_self(), Linux.idleScheduling, &parameters) == 0
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// Ends the sleep of a thread that waits for descriptors, whoever rings it (eventfd(2)).
struct Bell: ~Copyable, Sendable {
    private let file: Descriptor

    init() throws(EmulatorFailure) {
        // EFD_NONBLOCK and EFD_CLOEXEC, which have the values of these.
        file = Descriptor(owning: eventfd(0, O_NONBLOCK | O_CLOEXEC))
        guard file.rawValue >= 0 else { throw .system("no eventfd") }
    }

    /// Readable while the bell rings.
    var descriptor: Int32 { file.rawValue }

    func ring() {
        var count: UInt64 = 1
        _ = write(file.rawValue, &count, MemoryLayout.size(ofValue: count))
    }

    func silence() {
        var count: UInt64 = 0
        _ = read(file.rawValue, &count, MemoryLayout.size(ofValue: count))
    }
}
