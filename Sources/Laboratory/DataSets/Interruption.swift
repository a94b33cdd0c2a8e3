import Glibc
import Synchronization

/// Turns Ctrl-C and requests to end into a flag while a process may be stopped, so that it is
/// continued before we go. The handlers that stood before are put back afterwards.
enum Interruption {
    private static let flag = Atomic<Bool>(false)
    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    static func deferred<Success, Failure: Error>(
        during body: () throws(Failure) -> Success
    ) throws(Failure) -> Success {
        flag.store(false, ordering: .relaxed)
        var handling = sigaction()
        handling.__sigaction_handler.sa_handler = { _ in
            Interruption.flag.store(true, ordering: .relaxed)
        }
        let previous = signals.map { signal in
            var old = sigaction()
            sigaction(signal, &handling, &old)
            return old
        }
        defer {
            for (signal, old) in zip(signals, previous) {
                var old = old
                sigaction(signal, &old, nil)
            }
        }
        return try body()
    }
}
