public import Initialization
public import Logging

/// What the components of this room provide to others.
public enum NodeKeys {
    public static let configuration = DependencyKey<NodeConfiguration>(
        "configuration",
        from: "configuration"
    )
    /// Writes one JSON object a line; `Logger.component` gives a component its own.
    public static let logger = DependencyKey<Logger>("logger", from: "logger")
    /// The nodes that this one knows, as the discovery file lists them now.
    public static let directory = DependencyKey<NodeDirectory>("nodes", from: "discovery")
    /// The kind of network, as it is judged now.
    public static let networkEnvironment = DependencyKey<NetworkEnvironment>(
        "mode",
        from: "environment.network"
    )
}
