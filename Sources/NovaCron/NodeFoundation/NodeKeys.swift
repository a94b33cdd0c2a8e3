public import Initialization

/// What the components of this room provide to others.
public enum NodeKeys {
    public static let configuration = DependencyKey<NodeConfiguration>(
        "configuration",
        from: "configuration"
    )
}
