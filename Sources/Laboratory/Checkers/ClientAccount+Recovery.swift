public import Units

extension ClientAccount {
    /// What became of a fault, or of its repair, that broke the service.
    public struct Recovery: Hashable, Sendable {
        /// When the fault struck, or was repaired.
        public var change: Instant
        /// From there to the answer that ended the last outage it caused; `nil` when the service was
        /// still out at the end.
        public var interval: Interval?
    }

    /// How soon the service answered again after each change that broke it.
    ///
    /// The repair of a fault is a change of its own: a node that comes back may break a service that had
    /// long got over its loss. An outage belongs to the first change after the last request that was
    /// served was due, and before the first that failed was given up. Without one it belongs to the
    /// change of the outage before it, or to the latest one, if it began no later than `aftermath` after
    /// that outage's end or that change. Changes that broke nothing, and outages of the warm-up, are
    /// left out.
    ///
    /// - Parameters:
    ///   - changes: when faults struck and were repaired, in any order.
    ///   - aftermath: how long the service must have answered to count as recovered.
    /// - Returns: one recovery for each change that broke the service, in order, and the number of
    ///   outages that no change explains.
    public func recoveries(
        after changes: [Instant],
        within aftermath: Interval
    ) -> (known: [Recovery], unexplained: Int) {
        let changes = changes.sorted()
        var next = 0
        var recoveries: [Recovery] = []
        var unexplained = 0
        var unstableUntil = Instant(nanoseconds: .min)
        for outage in outages where outage.start >= start {
            if let after = outage.after {
                while next < changes.count, changes[next] <= after { next += 1 }
            }
            let cause: Instant
            if next < changes.count, changes[next] <= outage.start + timeout {
                cause = changes[next]
            } else if let last = recoveries.last, outage.start <= unstableUntil {
                cause = last.change
            } else if next > 0, outage.start <= changes[next - 1].advanced(by: aftermath) {
                cause = changes[next - 1]
            } else {
                unexplained += 1
                continue
            }
            unstableUntil = (outage.end ?? .distantFuture).advanced(by: aftermath)
            if recoveries.last?.change == cause { recoveries.removeLast() }
            recoveries.append(
                Recovery(change: cause, interval: outage.end.map { max(.zero, $0 - cause) })
            )
        }
        return (recoveries, unexplained)
    }

    /// The mean time to recovery; `nil` when no change broke the service, or one was not recovered from.
    public static func meanTimeToRecovery(_ recoveries: [Recovery]) -> Interval? {
        let known = recoveries.compactMap(\.interval)
        guard !known.isEmpty, known.count == recoveries.count else { return nil }
        let sum = known.reduce(into: Interval.zero) { $0 += $1 }
        return sum / Int64(known.count)
    }
}
