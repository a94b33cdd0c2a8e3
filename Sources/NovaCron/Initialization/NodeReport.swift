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
    /// `cpu` is the processor time of all of the process's threads since its start, read when the
    /// event was emitted; `nil` where it was not read.
    case lifecycle(LifecycleEvent, cpu: Interval?)
    /// The components that are about to boot, in the graph's list order.
    case graph([ComponentPlace])
    /// A durable step was about to begin, or was done.
    case reached(step: String, side: CrashPoint.Side, time: Instant)
    /// What the process had used when the node was READY.
    case usage(ProcessUsage)
    case ended(LifecycleOutcome)
}

/// What a listener must know of a component to understand when it started.
public struct ComponentPlace: Hashable, Sendable, Codable {
    public var name: String
    public var phase: BootPhase
    public var dependencies: [String]
    public var optionalDependencies: [String]
    public var criticality: Criticality
    public var holdsReadiness: Bool

    public init(_ specification: ComponentSpecification) {
        name = specification.name
        phase = specification.phase
        dependencies = specification.dependencies
        optionalDependencies = specification.optionalDependencies
        criticality = specification.criticality
        holdsReadiness = specification.holdsReadiness
    }

    /// The specification, as far as the place tells it.
    public var specification: ComponentSpecification {
        ComponentSpecification(
            name: name,
            phase: phase,
            dependencies: dependencies,
            optionalDependencies: optionalDependencies,
            criticality: criticality,
            holdsReadiness: holdsReadiness
        )
    }
}
