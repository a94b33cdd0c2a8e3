public import Machines

/// The receiver's side of one encoding session: holds the memory, prepares jobs that decode against
/// it, and applies their results in sequence.
///
/// A job sees the memory as it is when the job is **prepared**, and a batch may build on every batch
/// before it; so prepare a job only after the result of the one before was integrated. A batch that
/// fails changes nothing, and may be received again.
///
/// Memory: 32 bytes a page of references, and 4096 bytes for each page whose content is not zero and
/// not shared with a duplicate.
public struct BatchDecoder: Sendable {
    public let session: UInt64
    /// The memory as far as batches were applied.
    public private(set) var memory: PageTable
    /// The number of the next batch to apply.
    public private(set) var nextSequence: UInt64 = 0

    private var generation: UInt64

    /// - Parameters:
    ///   - memory: what is held already; the sender must have been told the same.
    ///   - generation: names that content, equal at both ends; zero for an empty memory.
    public init(session: UInt64, memory: PageTable, generation: UInt64 = 0) {
        self.session = session
        self.memory = memory
        self.generation = generation
    }

    /// A job that decodes a complete batch, whatever bytes arrived.
    public func prepare(_ bytes: Bytes) -> DecodeJob {
        DecodeJob(
            bytes: bytes,
            session: session,
            sequence: nextSequence,
            generation: generation,
            memory: memory
        )
    }

    /// Applies a decoded batch to the memory; throws when it is not the next one, as the second of
    /// two jobs for the same batch is.
    public mutating func integrate(_ batch: DecodedBatch) throws(DecodingFailure) {
        guard batch.session == session else {
            throw .wrongSession(expected: session, found: batch.session)
        }
        guard batch.sequence == nextSequence else {
            throw .outOfSequence(expected: nextSequence, found: batch.sequence)
        }
        for update in batch.updates { memory.set(update) }
        generation = BatchHeader.generation(
            after: generation,
            session: session,
            sequence: nextSequence
        )
        nextSequence += 1
    }
}

/// The pages of a batch, decoded and verified.
public struct DecodedBatch: Sendable {
    public let session: UInt64
    public let sequence: UInt64
    /// Every page of the batch with its new content, ascending; each is 4096 bytes of its own, or
    /// shared with an equal page.
    public let updates: [PageVersion]
    public let statistics: EncodingStatistics

    let pagesChecksum: UInt64
    let cost: WorkCost
}
