public import Effects
import Machines
public import Migration
import NodeFoundation
import Synchronization
import Transport
import Units

/// Where migrations of other nodes arrive: a `MigrationNode` in the destination's role on the
/// network.
///
/// It counts what the machine tells. Memory of guests that arrived is the machine's, for as long as it lives;
/// guests of more than `pageLimit` pages are refused, and those that do not fit beside all others
/// (`hostedPageLimit`).
public final class MigrationReceiver: Sendable {
    /// With the port that was taken.
    public let endpoint: SocketEndpoint
    public let configuration: MigrationConfiguration
    private let listener: any NetworkListener
    private let counts: SharedCounts

    /// What has happened since the start.
    public struct Counts: Hashable, Sendable {
        /// Guests whose whole memory arrived and was compared.
        public var verified = 0
        /// Guests that may run here.
        public var running = 0
        public var failed = 0
        /// Streams that died while their migration went on.
        public var lostStreams = 0
        /// Pages of verified guests.
        public var pages = 0

        public init() {}
    }

    private init(
        _ listener: any NetworkListener,
        _ configuration: MigrationConfiguration,
        _ counts: SharedCounts
    ) {
        self.listener = listener
        self.configuration = configuration
        endpoint = listener.endpoint
        self.counts = counts
    }

    /// Begins to listen; without an identity, for streams without TLS.
    static func open(
        _ configuration: MigrationConfiguration,
        node: NodeID,
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        _ network: any NetworkAccess
    ) async throws(NetworkError) -> MigrationReceiver {
        let counts = SharedCounts()
        let listener = try await network.host(
            MigrationNode<NoGuest>.self,
            node: node,
            at: endpoint,
            identity: identity,
            machine: { MigrationNode($0, configuration: configuration) },
            observe: { counts.take($0) }
        )
        return MigrationReceiver(listener, configuration, counts)
    }

    public var statistics: Counts { counts.present }
    public var connectionCount: Int { listener.connectionCount }

    func close() async { await listener.close() }
}

/// Counts that the machine's thread writes and others read.
private final class SharedCounts: Sendable {
    private let counts = Mutex(MigrationReceiver.Counts())

    var present: MigrationReceiver.Counts { counts.withLock { $0 } }

    func take(_ event: MigrationEvent) {
        counts.withLock { counts in
            switch event {
            case .verified(_, let pages, _):
                counts.verified += 1
                counts.pages += pages
            case .running: counts.running += 1
            case .failed: counts.failed += 1
            case .streamLost: counts.lostStreams += 1
            case .started, .round, .paused, .completed, .resumedAtSource, .orderRefused: break
            }
        }
    }
}

/// The guest of a node that has none of its own to send: no value of it exists.
enum NoGuest: GuestMemory {
    var pageCount: Int { switch self {} }

    func dirtyPages(after start: Instant, through end: Instant) -> [Int] { switch self {} }

    func page(_ index: Int, at time: Instant) -> Bytes { switch self {} }

    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 { switch self {} }
}

extension NodeID {
    /// A number for a name, equal in every life: FNV-1a of 32 bits, folded to the 24 bits that the
    /// numbers of nodes have. Two names share a number with a probability of 2⁻²⁴.
    init(named name: String) {
        var hash: UInt32 = 0x811C_9DC5
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        self.init(hash >> 24 ^ hash & 0xFF_FFFF)
    }
}
