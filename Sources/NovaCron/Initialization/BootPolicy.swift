public import Units

/// How a graph is started and stopped.
public struct BootPolicy: Hashable, Sendable {
    public var order: StartOrder
    /// Components that start at the same time; at least one.
    public var concurrencyLimit: Int
    /// From the boot's start to READY; beyond it the boot is rolled back.
    public var bootDeadline: Interval
    /// Of a rollback; what is not stopped by then is named and left.
    public var rollbackDeadline: Interval
    /// Of each part of an orderly end.
    public var shutdown: ShutdownDeadlines

    public init(
        order: StartOrder = .dependencyReady,
        concurrencyLimit: Int = 64,
        bootDeadline: Interval = .seconds(60),
        rollbackDeadline: Interval = .seconds(60),
        shutdown: ShutdownDeadlines = ShutdownDeadlines()
    ) {
        precondition(concurrencyLimit >= 1, "concurrency limit \(concurrencyLimit)")
        self.order = order
        self.concurrencyLimit = concurrencyLimit
        self.bootDeadline = bootDeadline
        self.rollbackDeadline = rollbackDeadline
        self.shutdown = shutdown
    }
}

/// When a component may start.
public enum StartOrder: String, Hashable, Sendable, CaseIterable, Codable {
    /// One after the other, by phase and then in the order of the list.
    case sequential
    /// Barriers between phases, and between the levels of the graph inside each.
    case levelParallel = "level-parallel"
    /// As soon as its own dependencies are ready.
    case dependencyReady = "dependency-ready"
}

/// 30 s in all, as the plans ask.
public struct ShutdownDeadlines: Hashable, Sendable {
    /// For finishing what is under way.
    public var drain: Interval
    /// For stopping components.
    public var cleanup: Interval

    public init(drain: Interval = .seconds(20), cleanup: Interval = .seconds(10)) {
        self.drain = drain
        self.cleanup = cleanup
    }
}
