public import Effects
public import Initialization
public import Units

/// The configuration of one node, validated, with every default filled in.
///
/// `NodeConfiguration()` is the embedded default: one node on the loopback interface that needs no
/// file. The file's format is described in `docs/node-configuration.md`.
public struct NodeConfiguration: Hashable, Sendable {
    /// In certificates, logs and discovery.
    public var name: String
    public var region: String
    /// Everything the node keeps is below this folder.
    public var dataDirectory: String
    public var boot = BootPolicy()
    public var environment = EnvironmentSettings()
    public var resources = ResourceSettings()
    public var logging = LoggingSettings()
    public var security = SecuritySettings()
    public var database = DatabaseSettings()
    public var cache = CacheSettings()
    public var network = NetworkSettings()
    public var dwcp = DWCPSettings()
    public var orchestration = OrchestrationSettings()
    public var health = HealthSettings()
    public var discovery = DiscoverySettings()
    public var jobs = JobSettings()

    public init(
        name: String = "novacron",
        region: String = "local",
        dataDirectory: String = "/var/lib/novacron"
    ) {
        self.name = name
        self.region = region
        self.dataDirectory = dataDirectory
    }
}

extension NodeConfiguration {
    /// How the kind of network is told.
    public struct EnvironmentSettings: Hashable, Sendable {
        /// `nil` detects; otherwise the mode is fixed.
        public var mode: NetworkMode?
        /// Nodes to measure paths to, beside those that discovery knows; at most sixteen are
        /// measured.
        public var probes: [SocketEndpoint] = []
        /// Where this node answers probes.
        public var answersAt = SocketEndpoint(host: "127.0.0.1", port: 7402)
        /// A mode stays at least this long.
        public var dwell = Interval.seconds(30)
        /// Between measurements while the node serves.
        public var period = Interval.seconds(10)

        public init() {}
    }

    public struct ResourceSettings: Hashable, Sendable {
        /// The plans' minimum.
        public var minimumCores = 4
        public var minimumMemory = ByteCount(8 << 30)
        /// Available where the data directory is.
        public var minimumDisk = ByteCount(100 << 30)
        public var minimumOpenFiles = 1024
        public var belowMinimum = BelowMinimum.warn

        public enum BelowMinimum: String, Hashable, Sendable, CaseIterable {
            /// The node starts, degraded.
            case warn
            case halt
        }

        public init() {}
    }

    public struct LoggingSettings: Hashable, Sendable {
        /// As in swift-log: trace, debug, info, notice, warning, error, critical.
        public var level = "info"

        public init() {}
    }

    public struct SecuritySettings: Hashable, Sendable {
        /// Below the data directory unless absolute.
        public var directory = "security"
        /// Names and addresses in the node's certificate, beside its own name.
        public var names = ["localhost", "127.0.0.1", "::1"]
        public var authorityLifetime = Interval.seconds(3650 * 86_400)
        public var certificateLifetime = Interval.seconds(90 * 86_400)
        /// A certificate that ends earlier than this is replaced.
        public var rotateBefore = Interval.seconds(30 * 86_400)

        public init() {}
    }

    public struct DatabaseSettings: Hashable, Sendable {
        /// Below the data directory unless absolute.
        public var file = "node.sqlite"
        public var busyTimeout = Interval.seconds(2)

        public init() {}
    }

    public struct CacheSettings: Hashable, Sendable {
        public var entries = 100_000
        public var bytes = ByteCount(64 << 20)
        public var timeToLive = Interval.seconds(300)

        public init() {}
    }

    public struct NetworkSettings: Hashable, Sendable {
        /// The control interface, HTTPS with client certificates.
        public var control = SocketEndpoint(host: "127.0.0.1", port: 7400)
        public var limits = ListenerLimits(
            connections: 256,
            requestBytes: 1 << 20,
            idleTimeout: .seconds(30)
        )

        public init() {}
    }

    public struct DWCPSettings: Hashable, Sendable {
        /// Where migrations of other nodes arrive.
        public var endpoint = SocketEndpoint(host: "127.0.0.1", port: 7401)
        /// `nil` lets the transport decide; in 1...256.
        public var streams: Int?
        /// cubic, newreno or bbr.
        public var congestion = "cubic"
        /// Of zstd: 0 leaves pages uncompressed; otherwise 1, 3 or 9.
        public var compressionLevel = 3
        /// Files in PEM that put TLS below the streams: the node's certificate and those above it, its
        /// key, and the authorities whose nodes are let in. All three or none; below the data directory
        /// unless absolute.
        public var certificate: String?
        public var key: String?
        public var authorities: String?

        public init() {}
    }

    public struct OrchestrationSettings: Hashable, Sendable {
        /// Tasks that wait or run; more are refused.
        public var capacity = 10_000
        /// A task whose worker says nothing for this long is given to another one.
        public var lease = Interval.seconds(30)
        /// After that many, a task has failed for good.
        public var attempts = 5
        public var workers = 4

        public init() {}
    }

    public struct HealthSettings: Hashable, Sendable {
        /// Plain HTTP: `/health/live`, `/health/ready`, `/health/startup`, `/metrics`.
        public var endpoint = SocketEndpoint(host: "127.0.0.1", port: 7403)
        /// How old a cached answer may be.
        public var maximumAge = Interval.seconds(1)
        public var checkTimeout = Interval.seconds(2)

        public init() {}
    }

    public struct DiscoverySettings: Hashable, Sendable {
        /// A file that lists nodes; below the data directory unless absolute. One that is not there
        /// means no other nodes.
        public var file = "nodes.yaml"
        public var period = Interval.seconds(30)

        public init() {}
    }

    public struct JobSettings: Hashable, Sendable {
        public var jobs: [JobSchedule] = [
            JobSchedule(job: .rotateCertificates, schedule: "17 3 * * *"),
            JobSchedule(job: .pruneTasks, schedule: "*/10 * * * *"),
            JobSchedule(job: .checkDatabase, schedule: "41 4 * * 0"),
        ]
        /// Each run is delayed by a random part of this, so that nodes do not run at once.
        public var jitter = Interval.seconds(30)

        public init() {}
    }

    public struct JobSchedule: Hashable, Sendable {
        public var job: BackgroundJob
        /// A cron expression of five fields, in UTC.
        public var schedule: String

        public init(job: BackgroundJob, schedule: String) {
            self.job = job
            self.schedule = schedule
        }
    }

    /// `path` below the data directory, unless it is absolute.
    public func path(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(dataDirectory)/\(path)"
    }
}

/// The kinds of network that the transport tells apart.
public enum NetworkMode: String, Hashable, Sendable, CaseIterable {
    /// Round trips below 1 ms, above 10 Gbit/s, or RDMA.
    case datacenter
    /// Round trips above 50 ms, or loss.
    case internet
    /// Between the two, or both at once.
    case hybrid
}

/// What background jobs do.
public enum BackgroundJob: String, Hashable, Sendable, CaseIterable {
    case rotateCertificates = "rotate-certificates"
    case pruneTasks = "prune-tasks"
    case checkDatabase = "check-database"
}
