public import Determinism
public import Machines
import Units

/// Decodes one batch; a pure function of what `BatchDecoder.prepare` stored in it.
///
/// Bytes come from a peer and may be anything: the job ends with a `DecodingFailure`, never traps,
/// and allocates no more than the bounds of a batch allow (4096 pages).
public struct DecodeJob: Work {
    let bytes: Bytes
    let session: UInt64
    let sequence: UInt64
    let generation: UInt64
    /// The memory before the batch.
    let memory: PageTable

    public func run() -> Result<DecodedBatch, DecodingFailure> {
        do throws(DecodingFailure) {
            return .success(try decoded())
        } catch {
            return .failure(error)
        }
    }

    /// A rejected batch is charged the checksum of its bytes, at which almost all are rejected.
    public func cost(of output: Result<DecodedBatch, DecodingFailure>) -> WorkCost {
        switch output {
        case .success(let batch): batch.cost
        case .failure: WorkCost(.checksum, ByteCount(bytes.count))
        }
    }

    public static func digest(
        of output: Result<DecodedBatch, DecodingFailure>,
        into chain: inout HashChain
    ) {
        switch output {
        case .success(let batch):
            chain.combine(batch.session)
            chain.combine(batch.sequence)
            chain.combine(batch.pagesChecksum)
        case .failure(let failure):
            chain.combine("\(failure)")
        }
    }

    private func decoded() throws(DecodingFailure) -> DecodedBatch {
        let workspace = DecodingWorkspace.pool.take()
        defer { DecodingWorkspace.pool.giveBack(workspace) }
        let result = bytes.withUnsafeBytes { batch -> Result<DecodedBatch, DecodingFailure> in
            do throws(DecodingFailure) {
                return .success(try decoded(batch, workspace))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func decoded(
        _ batch: UnsafeRawBufferPointer,
        _ workspace: DecodingWorkspace
    ) throws(DecodingFailure) -> DecodedBatch {
        let header = try BatchHeader(reading: batch)
        guard header.session == session else {
            throw .wrongSession(expected: session, found: header.session)
        }
        guard header.sequence == sequence else {
            throw .outOfSequence(expected: sequence, found: header.sequence)
        }
        guard header.generation == generation else {
            throw .baselineMissing(held: generation, needed: header.generation)
        }
        var pass = DecodingPass(header: header, memory: memory, workspace: workspace)
        try pass.readStructure(in: batch)
        try pass.readContents(in: batch)
        for position in 0..<header.pageCount { try pass.rebuild(position) }
        return try pass.finished(sentBytes: batch.count)
    }
}
