public import Initialization
public import Units

extension Scenario {
    /// The configuration of the code under test; variants patch it and nothing else.
    public struct SystemConfiguration: Hashable, Sendable {
        public var transport: Transport
        public var encoding: Encoding
        public var migration: Migration
        public var initialization: BootOptions
        public var consensus: Consensus

        public init(
            transport: Transport,
            encoding: Encoding,
            migration: Migration,
            initialization: BootOptions,
            consensus: Consensus = .usual
        ) {
            self.transport = transport
            self.encoding = encoding
            self.migration = migration
            self.initialization = initialization
            self.consensus = consensus
        }
    }
}

extension Scenario.SystemConfiguration {
    /// How a transfer uses the network (AMST).
    public struct Transport: Hashable, Sendable {
        public var streams: StreamCount
        public var congestion: Congestion
        /// The payload of one chunk; `nil` for the transport's formula, half a bandwidth-delay
        /// product within 4...256 KiB, and less where streams are tuned. Migrations cut their data into
        /// batches of pages instead.
        public var chunk: ByteCount?
        /// The most bytes that a transfer may send beyond what its receiver has consumed, over all its streams; of the
        /// workload `transfer` over each.
        public var window: ByteCount
        /// Streams run over TLS 1.3, with a certificate of the run on either side; on sockets only.
        public var tls: Bool
        /// Whether the nodes' TCP uses explicit congestion notification (RFC 3168), with every peer.
        public var usesCongestionNotification: Bool
        /// The rate at which each stream sends at most; `nil` where congestion control alone decides.
        public var pacing: BitRate?
        /// Whether the kind of path decides how a transfer goes about it; `nil` for no such habits.
        public var mode: Mode?
        /// A transfer fails when it is not over so long after its start; `nil` for no limit. Of migrations
        /// only: the transfers of `bulk` are never over.
        public var deadline: Interval?

        public enum Mode: String, Hashable, Sendable, CaseIterable {
            /// As the transport finds the path, and follows it.
            case automatic = "auto"
            case datacenter
            case regional
            case internet
        }

        public enum StreamCount: Hashable, Sendable {
            /// The starting formula of the transport decides.
            case automatic
            /// In 1...256.
            case fixed(Int)
        }

        public enum Congestion: String, Hashable, Sendable, CaseIterable {
            case cubic
            case newreno
            case bbr
            /// The transport chooses by what it measures, and may change it on the way.
            case automatic = "auto"
        }

        public init(
            streams: StreamCount,
            congestion: Congestion,
            chunk: ByteCount?,
            window: ByteCount,
            tls: Bool = false,
            usesCongestionNotification: Bool = false,
            pacing: BitRate? = nil,
            mode: Mode? = nil,
            deadline: Interval? = nil
        ) {
            self.streams = streams
            self.congestion = congestion
            self.chunk = chunk
            self.window = window
            self.tls = tls
            self.usesCongestionNotification = usesCongestionNotification
            self.pacing = pacing
            self.mode = mode
            self.deadline = deadline
        }
    }

    /// How memory pages are encoded (HDE).
    public enum Encoding: Hashable, Sendable {
        /// Raw pages.
        case none
        case hierarchical(Hierarchical)

        public struct Hierarchical: Hashable, Sendable {
            /// The zstd level: 1, 3 or 9; 0 leaves batches uncompressed.
            public var level: Int
            /// The pages that are compressed together, in 1...240: a batch travels as one chunk.
            public var batchPages: Int

            public init(level: Int, batchPages: Int) {
                self.level = level
                self.batchPages = batchPages
            }
        }
    }

    /// When a live migration stops copying rounds and pauses the source.
    public struct Migration: Hashable, Sendable {
        /// Pre-copy rounds at most; at least one.
        public var maximumRounds: Int
        /// Pause as soon as the remaining dirty pages are expected to need no longer than this.
        public var downtimeGoal: Interval

        public init(maximumRounds: Int, downtimeGoal: Interval) {
            self.maximumRounds = maximumRounds
            self.downtimeGoal = downtimeGoal
        }
    }
}

extension Scenario.SystemConfiguration {
    /// How a node starts its components.
    public struct BootOptions: Hashable, Sendable {
        public var order: StartOrder
        /// Components that start at the same time; at least one.
        public var concurrency: Int
        /// Beyond it a boot is rolled back.
        public var bootDeadline: Interval
        public var rollbackDeadline: Interval

        public init(
            order: StartOrder,
            concurrency: Int,
            bootDeadline: Interval,
            rollbackDeadline: Interval
        ) {
            self.order = order
            self.concurrency = concurrency
            self.bootDeadline = bootDeadline
            self.rollbackDeadline = rollbackDeadline
        }
    }
}
