import Effects
import Glibc
import UnixSignals

/// What signals mean: the first SIGTERM or SIGINT asks for an orderly end, at any moment of the
/// node's life; the second ends the process at once. SIGHUP changes nothing, so that a node that was
/// started in a terminal goes on when the terminal is closed: a configuration is read at the start
/// only.
struct SignalWatch: Sendable {
    private let signals: UnixSignalsSequence

    /// From here on signals are taken.
    init() async {
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    }

    /// Watches until its task is cancelled.
    func run(stop: @escaping @Sendable () -> Void) async {
        var isStopping = false
        for await signal in signals where signal != .sighup {
            if isStopping { _exit(NodeExitCode.interrupted.rawValue) }
            isStopping = true
            stop()
        }
    }
}
