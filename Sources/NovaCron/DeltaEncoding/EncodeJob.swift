public import Determinism
public import Machines
import Units

/// Encodes one batch; a pure function of what `BatchEncoder.prepare` stored in it.
public struct EncodeJob: Work {
    public let session: UInt64
    public let sequence: UInt64
    let generation: UInt64
    let configuration: EncodingConfiguration
    let batch: PageBatch
    /// What the receiver holds before the batch.
    let baseline: PageTable
    let index: PageIndex

    public func run() -> EncodedBatch {
        let workspace = EncodingWorkspace.pool.take()
        defer { EncodingWorkspace.pool.giveBack(workspace) }
        workspace.reserve(pageCount: batch.pages.count)
        var pass = EncodingPass(job: self, workspace: workspace)
        for position in batch.pages.indices { pass.classify(position) }
        return pass.assembled()
    }

    public func cost(of output: EncodedBatch) -> WorkCost {
        output.cost
    }

    public static func digest(of output: EncodedBatch, into chain: inout HashChain) {
        chain.combine(output.session)
        chain.combine(output.sequence)
        chain.combine(bytes: output.bytes)
    }
}
