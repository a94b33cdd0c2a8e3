public import DeltaEncoding
public import Determinism
public import Machines
public import Transport
public import Units

/// The heavy work of both ends of a migration.
public enum MigrationJob<Memory: GuestMemory>: Work {
    case encode(EncodeJob)
    /// Joins the pieces of a chunk and decodes the batch in them.
    case decode(BatchDecoder, Payload)
    /// The digest of the guest's memory at a time, taken from the guest and not from what was sent.
    case guestDigest(Memory, Instant)
    /// The digest of what the destination holds.
    case digest(PageTable)

    public enum Output: Sendable {
        case encoded(EncodedBatch)
        case decoded(Result<DecodedBatch, DecodingFailure>)
        case digest(MemoryDigest)
    }

    public func run() -> Output {
        switch self {
        case .encode(let job): .encoded(job.run())
        case .decode(let decoder, let chunk): .decoded(MigrationJob.decode(chunk, decoder).run())
        case .guestDigest(let memory, let time):
            .digest(MemoryDigestJob(memory: MigrationJob.table(of: memory, at: time)).run())
        case .digest(let table): .digest(MemoryDigestJob(memory: table).run())
        }
    }

    public func cost(of output: Output) -> WorkCost {
        switch (self, output) {
        case (.encode(let job), .encoded(let batch)):
            return job.cost(of: batch)
        case (.decode(let decoder, let chunk), .decoded(let result)):
            var cost = MigrationJob.decode(Payload(), decoder).cost(of: result)
            cost.parts.append(WorkCost.Part(.copy, ByteCount(chunk.count)))
            return cost
        case (.guestDigest(let memory, _), .digest):
            return WorkCost(.checksum, memory.size)
        case (.digest(let table), .digest(let digest)):
            return MemoryDigestJob(memory: table).cost(of: digest)
        case (.encode, _), (.decode, _), (.guestDigest, _), (.digest, _):
            preconditionFailure("the output of another job")
        }
    }

    public static func digest(of output: Output, into chain: inout HashChain) {
        switch output {
        case .encoded(let batch): EncodeJob.digest(of: batch, into: &chain)
        case .decoded(let result): DecodeJob.digest(of: result, into: &chain)
        case .digest(let digest): MemoryDigestJob.digest(of: digest, into: &chain)
        }
    }

    /// The batch stands behind the chunk's leading byte.
    private static func decode(_ chunk: Payload, _ decoder: BatchDecoder) -> DecodeJob {
        decoder.prepare(chunk.joined().dropFirst())
    }

    private static func table(of memory: Memory, at time: Instant) -> PageTable {
        var table = PageTable(pageCount: memory.pageCount)
        for index in 0..<memory.pageCount {
            table.set(PageNumber(UInt32(index)), to: memory.page(index, at: time))
        }
        return table
    }
}
