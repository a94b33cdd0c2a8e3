import Effects
import Units

/// Runs `body` and cancels it when `limit` has passed; then the answer is `nil`. Waits for the
/// cancelled body to end. In a task that is cancelled already the body runs to its end, too.
nonisolated(nonsending) func withDeadline<Value: Sendable>(
    _ limit: Interval,
    _ clock: any EffectClock,
    _ body: @escaping @Sendable () async -> Value
) async -> Value? {
    await withTaskGroup(of: DeadlineReport<Value>.self) { group in
        group.addTask { .value(await body()) }
        group.addTask {
            do {
                try await clock.sleep(for: limit)
                return .expired
            } catch {
                return .unwatched
            }
        }
        while let report = await group.next() {
            switch report {
            case .value(let value):
                group.cancelAll()
                return value
            case .expired:
                group.cancelAll()
                return nil
            case .unwatched:
                continue
            }
        }
        preconditionFailure("a task group lost its body")
    }
}

private enum DeadlineReport<Value: Sendable>: Sendable {
    case value(Value)
    case expired
    /// The caller's cancellation ended the watch.
    case unwatched
}
