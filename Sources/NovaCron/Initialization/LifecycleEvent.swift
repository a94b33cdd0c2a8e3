public import Units

/// One fact of a node's life, in the order in which it happened.
public struct LifecycleEvent: Hashable, Sendable, Codable {
    public var time: Instant
    public var kind: Kind

    public init(time: Instant, kind: Kind) {
        self.time = time
        self.kind = kind
    }

    public enum Kind: Hashable, Sendable, Codable {
        case bootStarted(order: StartOrder)
        /// The first component of the phase starts.
        case phaseStarted(BootPhase)
        /// The last component of the phase that holds readiness has ended, well or not.
        case phaseEnded(BootPhase)
        /// All components of the phase have ended well enough to go on; durable.
        case checkpoint(BootPhase)
        case attemptStarted(component: String, attempt: Int)
        case attemptFailed(component: String, attempt: Int, reason: String)
        case retryScheduled(component: String, attempt: Int, after: Interval)
        case fallbackStarted(component: String, fallback: String)
        /// `fallback` names the replacement that took its place, if one did.
        case componentReady(component: String, fallback: String?)
        case componentFailed(component: String, criticality: Criticality, reason: String)
        /// Not tried, because a component it needs is not there.
        case componentSkipped(component: String, criticality: Criticality, missing: String)
        /// The node serves. `degraded` names components that are missing or replaced.
        case ready(degraded: [String])
        /// Components that load in the background have ended too.
        case bootCompleted(degraded: [String])
        case bootFailed(component: String, reason: String)
        case bootDeadlineExceeded(waitingFor: [String])
        /// Somebody asked for the end.
        case stopRequested
        case rollbackStarted
        case rollbackEnded(left: [String])
        case drainStarted
        case drainEnded(complete: Bool)
        case componentStopping(component: String)
        case componentStopped(component: String)
        /// `left` names components that did not stop in time.
        case shutdownEnded(left: [String])
    }
}

/// How a node's life ended.
public enum LifecycleOutcome: Hashable, Sendable, Codable {
    /// It was READY and ended in order.
    case stopped(left: [String])
    /// The boot failed and was rolled back.
    case failed(component: String, reason: String, left: [String])
    /// The boot was not READY in time and was rolled back.
    case late(waitingFor: [String], left: [String])
    /// The end was asked for before READY, and the boot was rolled back.
    case cancelled(left: [String])
}
