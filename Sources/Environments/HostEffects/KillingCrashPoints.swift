public import Effects
import Glibc

/// Ends the process by SIGKILL at one crash point: nothing is flushed, released or told, just as if
/// somebody had pulled the plug of the process.
public struct KillingCrashPoints: CrashPoints {
    private let point: CrashPoint

    public init(at point: CrashPoint) {
        self.point = point
    }

    public func reached(_ point: CrashPoint) async throws {
        guard point == self.point else { return }
        kill(getpid(), SIGKILL)
        // The signal may be taken by another thread a moment later; nothing may happen until then.
        while true { pause() }
    }
}
