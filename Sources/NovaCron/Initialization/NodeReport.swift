public import Effects
public import Units

/// What a node's process tells whoever started it, one value a line as JSON: the laboratory and
/// tests measure real boots by it.
///
/// The first report is `started`, the last one `ended`. Times of lifecycle events count from the
/// origin that `started` gives.
public enum NodeReport: Hashable, Sendable, Codable {
    /// - Parameters:
    ///   - process: the number of the node's process.
    ///   - origin: CLOCK_MONOTONIC at time zero of the events, in nanoseconds; one host shares it.
    case started(process: Int32, origin: Int64)
    case lifecycle(LifecycleEvent)
    /// A durable step was about to begin, or was done.
    case reached(step: String, side: CrashPoint.Side, time: Instant)
    /// What the process had used when the node was READY.
    case usage(ProcessUsage)
    case ended(LifecycleOutcome)
}
