public import Units

/// Requests to real processes.
extension RequestExperiment {
    /// A second is much more than a pipe and a thread need, also on a busy machine.
    public static var factPatience: Interval { .seconds(1) }
    public static var outlivesKills: Bool { true }
}
