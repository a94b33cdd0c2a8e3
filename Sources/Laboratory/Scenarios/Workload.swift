public import Units

extension Scenario {
    /// What the nodes of a scenario do; the kind selects the registered experiment.
    public enum Workload: Hashable, Sendable {
        case echo(EchoWorkload)
        case bulk(BulkWorkload)
        case transfer(TransferWorkload)
        case migration(MigrationWorkload)
        case boot(BootWorkload)
        case requests(RequestWorkload)

        /// The word that `workload.kind` holds.
        public enum Kind: String, Hashable, Sendable, CaseIterable {
            case echo
            case bulk
            case transfer
            case migration
            case boot
            case requests

            /// The roles that the kind gives to nodes; fault selections may name them.
            public var roles: [String] {
                switch self {
                case .echo: ["client", "server"]
                case .bulk, .transfer: ["sender", "receiver"]
                case .migration: ["source", "destination"]
                case .boot: ["node"]
                case .requests: ["client", "replica"]
                }
            }

            /// Whether nodes of one region send to nodes of another.
            public var hasEnds: Bool {
                switch self {
                case .echo, .bulk, .transfer, .migration: true
                case .boot, .requests: false
                }
            }
        }

        public var kind: Kind {
            switch self {
            case .echo: .echo
            case .bulk: .bulk
            case .transfer: .transfer
            case .migration: .migration
            case .boot: .boot
            case .requests: .requests
            }
        }

        /// The regions whose nodes have the first and the second role of the kind. A boot has one, the
        /// first region when it is that of all; requests come from one and go everywhere.
        public var ends: (first: RegionID, second: RegionID) {
            switch self {
            case .echo(let echo): (echo.from, echo.to)
            case .bulk(let bulk): (bulk.from, bulk.to)
            case .transfer(let transfer): (transfer.from, transfer.to)
            case .migration(let migration): (migration.from, migration.to)
            case .boot(let boot): (boot.region ?? RegionID(0), boot.region ?? RegionID(0))
            case .requests(let requests): (requests.load.places[0], RegionID(0))
            }
        }

        /// Whether what the nodes do crosses the scenario's links.
        public var usesLinks: Bool {
            switch self {
            case .echo, .bulk, .transfer, .migration, .requests: true
            case .boot: false
            }
        }

        /// The longest virtual time a run may take.
        public var horizon: Interval {
            switch self {
            case .echo(let echo): echo.deadline
            case .bulk(let bulk):
                bulk.transfers.map(\.horizon).max() ?? bulk.duration.horizon
            case .transfer(let transfer): transfer.deadline
            case .migration(let migration): migration.deadline
            case .boot(let boot): boot.deadline
            case .requests(let requests):
                // The last answers, or their time-outs, follow the window.
                requests.duration.horizon + requests.load.timeout * 2
            }
        }
    }

    /// Clients in one region send numbered requests to a server in another, which makes each durable
    /// before it answers. Terminating: ends when every request is answered, or at the deadline.
    ///
    /// The first node of `to` is the server, and all nodes of `from` besides it are clients; both may be
    /// the same region.
    public struct EchoWorkload: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        /// Of each client; at least one.
        public var requests: Int
        /// Between the intended send times of a client's requests (open loop).
        public var interval: Interval
        /// A request that is not answered by then is sent again.
        public var timeout: Interval
        /// How often a request is sent before it counts as failed; at least one.
        public var attempts: Int
        /// The length of each byte stream that is echoed besides; zero for none, 1 MiB at most.
        public var stream: ByteCount
        /// How many streams each client echoes, one after the other.
        public var streams: Int
        public var deadline: Interval

        public init(
            from: RegionID,
            to: RegionID,
            requests: Int,
            interval: Interval,
            timeout: Interval,
            attempts: Int,
            stream: ByteCount,
            streams: Int,
            deadline: Interval
        ) {
            self.from = from
            self.to = to
            self.requests = requests
            self.interval = interval
            self.timeout = timeout
            self.attempts = attempts
            self.stream = stream
            self.streams = streams
            self.deadline = deadline
        }
    }

    /// A given amount goes from the first node of one region to the first node of another over
    /// ordinary byte streams, without the transport: what a copy program does. Terminating: ends when
    /// the last byte is verified, or at the deadline.
    public struct TransferWorkload: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        /// Of all streams together.
        public var amount: ByteCount
        public var deadline: Interval

        /// The most that a transfer may carry: one pebibyte.
        public static let largestAmount: Int64 = 1 << 50

        public init(from: RegionID, to: RegionID, amount: ByteCount, deadline: Interval) {
            self.from = from
            self.to = to
            self.amount = amount
            self.deadline = deadline
        }
    }

    /// How long a steady workload runs.
    public struct SteadyDuration: Hashable, Sendable {
        public var warmUp: WarmUp
        /// The length of the measured window.
        public var measure: Interval

        public enum WarmUp: Hashable, Sendable {
            /// The whole window is recorded and MSER-5 cuts its start.
            case automatic
            case fixed(Interval)
        }

        public init(warmUp: WarmUp, measure: Interval) {
            self.warmUp = warmUp
            self.measure = measure
        }

        /// Warm-up plus window. An automatic warm-up may cut at most half of what is recorded, so the
        /// run lasts twice the window.
        public var horizon: Interval {
            switch warmUp {
            case .automatic: measure * 2
            case .fixed(let warmUp): warmUp + measure
            }
        }
    }

    /// Virtual machines move from nodes of one region to nodes of another while they run.
    /// Terminating: ends when the last one runs and is verified, or at the deadline.
    public struct MigrationWorkload: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        public var memory: MemorySource
        /// The number of migrations; at least one.
        public var count: Int
        /// How many of them run at the same time; at least one.
        public var concurrency: Int
        public var deadline: Interval

        /// Where memory contents and dirty pages come from.
        public struct MemorySource: Hashable, Sendable {
            /// The name of a data set, as `novalab dataset list` prints it.
            public var dataset: String

            public init(dataset: String) {
                self.dataset = dataset
            }
        }

        public init(
            from: RegionID,
            to: RegionID,
            memory: MemorySource,
            count: Int,
            concurrency: Int,
            deadline: Interval
        ) {
            self.from = from
            self.to = to
            self.memory = memory
            self.count = count
            self.concurrency = concurrency
            self.deadline = deadline
        }
    }
}
