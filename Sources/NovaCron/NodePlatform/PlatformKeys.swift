public import DeltaEncoding
public import Effects
public import Initialization

/// What the components of this room provide to others.
public enum PlatformKeys {
    public static let authority = DependencyKey<CertificateAuthority>(
        "authority",
        from: "security.authority"
    )
    public static let certificates = DependencyKey<CertificateStore>(
        "certificates",
        from: "security.certificate"
    )
    /// The open database; its tables are there once `database.migrations` is ready.
    public static let database = DependencyKey<any Database>("database", from: "database")
    public static let cache = DependencyKey<NodeCache>("cache", from: "cache")
    /// Where other components add what the control interface answers.
    public static let controlRoutes = DependencyKey<ControlRoutes>(
        "routes",
        from: "network.control"
    )
    /// Where the control interface listens, with the port that it got.
    public static let controlEndpoint = DependencyKey<SocketEndpoint>(
        "endpoint",
        from: "network.control"
    )
    /// Where probes are answered, with the port that was taken.
    public static let probeEndpoint = DependencyKey<SocketEndpoint>(
        "endpoint",
        from: "network.probes"
    )
    /// An encoding that has passed its check.
    public static let encoding = DependencyKey<EncodingConfiguration>(
        "encoding",
        from: "dwcp.encoding"
    )
    public static let transport = DependencyKey<MigrationReceiver>(
        "receiver",
        from: "dwcp.transport"
    )
}
