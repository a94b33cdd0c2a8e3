public import Effects
public import Initialization

/// What the components of this room provide to others.
public enum OperationsKeys {
    public static let queue = DependencyKey<TaskQueue>("queue", from: "orchestration.queue")
    /// Where other components add what workers can do.
    public static let taskKinds = DependencyKey<TaskKinds>("kinds", from: "orchestration.queue")
    public static let metrics = DependencyKey<PrometheusRegistry>("registry", from: "metrics")
    /// Where the health server listens, with the port that it got.
    public static let healthEndpoint = DependencyKey<SocketEndpoint>(
        "endpoint",
        from: "health.server"
    )
}
