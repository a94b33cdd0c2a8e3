public import DeltaEncoding
public import Transport
public import Units

/// How a node migrates guests.
public struct MigrationConfiguration: Hashable, Sendable {
    /// How the bytes travel. The baseline has one stream.
    public var transport: TransportConfiguration
    /// How pages are encoded. The baseline is `.raw`.
    public var encoding: EncodingConfiguration
    /// Pages encoded, sent and decoded together, 1...240: one batch is one chunk.
    public var pagesPerBatch: Int
    /// Encode jobs of one migration that may run at once.
    public var encodeJobs: Int
    /// When the guest is stopped.
    public var convergence: ConvergenceRule
    /// How long a stopped guest waits at the source while nothing of it is acknowledged. Then it runs on there; once
    /// everything was sent it stays stopped, because it may run at the destination.
    public var pauseLimit: Interval
    /// Migrations that a source runs at once; further orders wait.
    public var concurrency: Int
    /// Pages of the largest guest that a destination takes.
    public var pageLimit: Int
    /// Pages of all guests that a destination receives or keeps; one that would exceed them is refused.
    public var hostedPageLimit: Int
    /// Whether a destination keeps the memory of guests that arrived. A host does; an instrument that
    /// only counts may not want to.
    public var keepsMemory: Bool

    /// The most pages in a batch, so that its longest encoding fits a chunk.
    public static let pagesPerBatchLimit = 240
    /// Migrations that a node sends in one life, and guests that it receives or keeps at a time.
    public static let sessionLimit = 4_096

    /// - Parameter transport: Its streams are filled by what is known of the path (`followsPath`), and are not tuned:
    ///   with measured rates guests of two seconds took longer, and stood still twice as long (decision 50).
    public init(
        transport: TransportConfiguration,
        encoding: EncodingConfiguration,
        pagesPerBatch: Int = 64,
        encodeJobs: Int = 4,
        convergence: ConvergenceRule = ConvergenceRule(),
        concurrency: Int = 1
    ) {
        self.transport = transport
        self.transport.followsPath = false
        self.encoding = encoding
        self.pagesPerBatch = pagesPerBatch
        self.encodeJobs = encodeJobs
        self.convergence = convergence
        pauseLimit = .seconds(300)
        self.concurrency = concurrency
        pageLimit = 1 << 22
        hostedPageLimit = 1 << 24
        keepsMemory = true
    }

    /// The longest chunk that a batch may become: every page literal, with all its bookkeeping.
    static func chunkLimit(pages: Int) -> Int { pages * (4_096 + 16) + 1_024 }

    /// Bytes of the chunk that ends a migration.
    static let endChunkSize = 25

    func checkBounds() {
        precondition(
            (1...MigrationConfiguration.pagesPerBatchLimit).contains(pagesPerBatch),
            "\(pagesPerBatch) pages a batch"
        )
        precondition(
            encodeJobs >= 1 && concurrency >= 1,
            "\(encodeJobs) jobs, \(concurrency) at once"
        )
        precondition(
            MigrationConfiguration.chunkLimit(pages: pagesPerBatch) <= transport.window / 2
                && transport.window / 2 <= transport.sendBuffer,
            "batches of \(pagesPerBatch) pages do not fit a window of \(transport.window) bytes"
        )
    }
}

/// When pre-copy ends and the guest is stopped.
///
/// Source: Clark et al., "Live Migration of Virtual Machines", NSDI 2005, section 4.2 and its Xen
/// implementation, which stops when few pages are left, after 29 rounds, or when three times the
/// memory has been sent. Deviations: "few pages" is a time, remaining bytes over measured rate, as
/// in QEMU; and a dirty set that has stopped shrinking ends pre-copy too, because further rounds
/// only repeat themselves.
public struct ConvergenceRule: Hashable, Sendable {
    /// How long sending what is left may take. The downtime is longer: a round trip, encoding the
    /// last batches and verifying the memory come on top.
    public var downtimeGoal: Interval
    /// Rounds before the stop, the full image included.
    public var roundLimit: Int
    /// State bytes sent before the stop, in memory sizes.
    public var volumeLimit: Int
    /// A round after the first has made progress when the dirty set at its end is at most this share
    /// of the one at its beginning.
    public var progress: Ratio
    /// Rounds in a row without progress that end pre-copy.
    public var patience: Int

    public init(
        downtimeGoal: Interval = .milliseconds(100),
        roundLimit: Int = 30,
        volumeLimit: Int = 3,
        progress: Ratio = Ratio(0.9),
        patience: Int = 2
    ) {
        self.downtimeGoal = downtimeGoal
        self.roundLimit = roundLimit
        self.volumeLimit = volumeLimit
        self.progress = progress
        self.patience = patience
    }

    /// What the rule looks at.
    public struct Situation: Hashable, Sendable {
        /// Bytes that would have to be sent if the guest stopped now: those on their way, and the
        /// pages that are dirty at the last round's bytes a page.
        public var remaining: ByteCount
        /// Payload bytes acknowledged per second; `nil` before anything was measured.
        public var rate: BitRate?
        /// Rounds that are complete.
        public var rounds: Int
        /// State bytes sent, and the size of the memory.
        public var sent: ByteCount
        public var memory: ByteCount
        /// Complete rounds in a row that made no progress.
        public var stagnation: Int

        public init(
            remaining: ByteCount,
            rate: BitRate?,
            rounds: Int,
            sent: ByteCount,
            memory: ByteCount,
            stagnation: Int
        ) {
            self.remaining = remaining
            self.rate = rate
            self.rounds = rounds
            self.sent = sent
            self.memory = memory
            self.stagnation = stagnation
        }
    }

    /// Whether what is left fits the goal.
    public func isConverged(_ situation: Situation) -> Bool {
        guard situation.remaining > .zero else { return true }
        guard let rate = situation.rate, rate.bitsPerSecond > 0 else { return false }
        return rate.bytes(in: downtimeGoal) >= situation.remaining
    }

    /// Why the guest is to be stopped at the end of a round; `nil` for another round.
    public func reasonToStop(_ situation: Situation) -> StopReason? {
        if isConverged(situation) { return .converged }
        if situation.rounds >= roundLimit { return .roundLimit }
        let (limit, overflow) = situation.memory.bytes
            .multipliedReportingOverflow(by: Int64(volumeLimit))
        if !overflow, situation.sent.bytes >= limit, situation.rounds > 1 { return .volumeLimit }
        if situation.stagnation >= patience { return .noProgress }
        return nil
    }
}

/// Why pre-copy ended.
public enum StopReason: String, Hashable, Sendable, Codable, CaseIterable {
    /// What was left could be sent within the downtime goal.
    case converged
    /// The limit of rounds was reached.
    case roundLimit
    /// The limit of bytes was reached.
    case volumeLimit
    /// The dirty set no longer shrank.
    case noProgress
}
