public import Machines

/// The sender's side of one encoding session: knows what the receiver will hold, and prepares jobs.
///
/// Batches are numbered, and the receiver applies them in that order. What the receiver holds after
/// a batch depends only on the pages in it, not on how they were encoded, so the session advances
/// when a batch is **prepared**: any number of jobs may run at once, each with its own view of the
/// memory before its batch. Only the index of duplicates learns from finished jobs, through
/// `integrate`; a job that is not integrated costs some ratio and nothing else.
///
/// A session ends with its transfer. When a batch is lost for good, begin a new one with what the
/// receiver is then known to hold.
///
/// Memory: 32 bytes a page of references, 16 bytes a page of index (at most 8 MiB), and the contents
/// that the caller's slices keep alive.
public struct BatchEncoder: Sendable {
    public let session: UInt64
    public let configuration: EncodingConfiguration
    /// What the receiver holds once it has applied every batch prepared so far.
    public private(set) var receiver: PageTable
    /// The number of the next batch.
    public private(set) var nextSequence: UInt64 = 0

    private var generation: UInt64
    private var index: PageIndex

    /// - Parameters:
    ///   - receiver: what the receiver holds already; empty for a memory that it does not know. Its
    ///     pages serve as baselines, but only pages sent in this session are found as duplicates.
    ///   - generation: names that content, equal at both ends; zero for an empty memory.
    public init(
        session: UInt64,
        configuration: EncodingConfiguration,
        receiver: PageTable,
        generation: UInt64 = 0
    ) {
        self.session = session
        self.configuration = configuration
        self.receiver = receiver
        self.generation = generation
        index = configuration.form == .literal ? .none : PageIndex(pageCount: receiver.pageCount)
    }

    /// A job that encodes the batch. Its result must be sent, and applied, after all batches prepared
    /// before. Costs one table update a page. Traps for pages outside the memory.
    public mutating func prepare(_ batch: PageBatch) -> EncodeJob {
        let job = EncodeJob(
            session: session,
            sequence: nextSequence,
            generation: generation,
            configuration: configuration,
            batch: batch,
            baseline: receiver,
            index: index
        )
        for page in batch.pages { receiver.set(page) }
        generation = BatchHeader.generation(
            after: generation,
            session: session,
            sequence: nextSequence
        )
        nextSequence += 1
        return job
    }

    /// Learns from a finished job where the receiver will hold which content. In any order.
    public mutating func integrate(_ encoded: EncodedBatch) {
        precondition(
            encoded.session == session && encoded.sequence < nextSequence,
            "batch \(encoded.sequence) of session \(encoded.session) in session \(session)"
        )
        for entry in encoded.indexEntries { index.insert(entry.hash, entry.page) }
    }
}

/// A batch as it travels.
public struct EncodedBatch: Sendable {
    public let session: UInt64
    public let sequence: UInt64
    /// The complete byte form: header and sections.
    public let bytes: Bytes
    public let statistics: EncodingStatistics

    /// The non-zero pages of the batch with their content hashes.
    let indexEntries: [IndexEntry]
    let cost: WorkCost

    struct IndexEntry: Hashable, Sendable {
        let hash: UInt64
        let page: PageNumber
    }
}
