public import Determinism
public import Machines
import Units

/// Identifies the content of a whole memory, so that two ends can compare theirs.
public struct MemoryDigest: Hashable, Sendable, BitwiseCopyable {
    /// Pages in the memory.
    public let pageCount: UInt32
    /// Pages whose content is known; two memories with an unknown page prove nothing about it.
    public let heldPages: UInt32
    /// Over the numbers and contents of the known pages.
    public let checksum: UInt64

    public init(pageCount: UInt32, heldPages: UInt32, checksum: UInt64) {
        self.pageCount = pageCount
        self.heldPages = heldPages
        self.checksum = checksum
    }
}

/// Computes the digest of a memory, for the verification at the end of a migration.
public struct MemoryDigestJob: Work {
    private let memory: PageTable

    public init(memory: PageTable) {
        self.memory = memory
    }

    public func run() -> MemoryDigest {
        var checksum: UInt64 = 1
        for index in 0..<memory.pageCount {
            guard let page = memory[PageNumber(UInt32(index))] else { continue }
            Checksum.combine(UInt64(index), into: &checksum)
            Checksum.combine(page.withUnsafeBytes { Checksum.of($0) }, into: &checksum)
        }
        return MemoryDigest(
            pageCount: UInt32(memory.pageCount),
            heldPages: UInt32(memory.heldCount),
            checksum: checksum
        )
    }

    public func cost(of output: MemoryDigest) -> WorkCost {
        WorkCost(.checksum, ByteCount(Int(output.heldPages) * Page.size))
    }

    public static func digest(of output: MemoryDigest, into chain: inout HashChain) {
        chain.combine(UInt64(output.pageCount) << 32 | UInt64(output.heldPages))
        chain.combine(output.checksum)
    }
}
