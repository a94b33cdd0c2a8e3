import Effects
import Glibc
import Initialization
import Units

/// Ends the process when a part of the node does not: one that ignores its cancellation, or a disk
/// that does not answer, would otherwise keep a dead node's lock and ports forever.
///
/// The lifecycle names what is left once its deadlines are over, but waits for it. The process gets
/// `grace` beyond them.
struct LastResort: Sendable {
    let policy: BootPolicy
    let clock: any EffectClock
    private static let grace = Interval.seconds(5)

    /// Waits for the beginning of the end, then for its deadlines; `expired` hears when these are over.
    /// Returns when the task is cancelled, since the node has ended.
    func run(
        _ happenings: AsyncStream<LifecycleEvent.Kind>,
        expired: @Sendable () -> Void
    ) async {
        var isReady = false
        for await happening in happenings {
            switch happening {
            case .ready:
                isReady = true
                continue
            case .stopRequested, .drainStarted, .bootFailed, .bootDeadlineExceeded,
                .rollbackStarted:
                break
            default:
                continue
            }
            let deadline =
                isReady ? policy.shutdown.drain + policy.shutdown.cleanup : policy.rollbackDeadline
            do {
                try await clock.sleep(for: deadline + LastResort.grace)
                expired()
            } catch {}
            return
        }
    }
}
