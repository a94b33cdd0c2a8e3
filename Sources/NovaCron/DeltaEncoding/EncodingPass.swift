import Machines

/// One walk over the pages of a batch.
struct EncodingPass {
    let job: EncodeJob
    let workspace: EncodingWorkspace
    var statistics = EncodingStatistics()
    private(set) var hashes: [UInt64]
    private(set) var classes: [PageClass] = []
    private(set) var references: [UInt32] = []
    private(set) var literals: [Int] = []
    private(set) var deltas = 0
    private var earlier: DuplicateFinder
    var work = EncodingWorkAmounts()

    /// A delta of more words than this is sent as a literal page, whose bytes compress better.
    private static let deltaLimit = 384
    /// A delta of at most this many words is cheaper than looking for a duplicate.
    private static let smallDelta = 2

    init(job: EncodeJob, workspace: EncodingWorkspace) {
        self.job = job
        self.workspace = workspace
        let count = job.batch.pages.count
        hashes = []
        hashes.reserveCapacity(count)
        classes.reserveCapacity(count)
        earlier = DuplicateFinder(pageCount: job.configuration.form == .literal ? 0 : count)
    }

    mutating func classify(_ position: Int) {
        let version = job.batch.pages[position]
        let pageClass = version.bytes.withUnsafeBytes { page in
            switch job.configuration.form {
            case .literal:
                hashes.append(Checksum.of(page))
                return PageClass.literal
            case .hierarchical:
                return hierarchicalClass(of: page, version.number, position)
            }
        }
        classes.append(pageClass)
        statistics[pageClass] += 1
        if pageClass == .literal {
            literals.append(position)
        }
    }

    private mutating func hierarchicalClass(
        of page: UnsafeRawBufferPointer,
        _ number: PageNumber,
        _ position: Int
    ) -> PageClass {
        if PageComparison.isZero(page) {
            work.compared += Page.size
            hashes.append(PageHash.ofZeroPage)
            return .zero
        }
        let hash = Checksum.of(page)
        hashes.append(hash)
        let changed = changedWords(of: page, number)
        if changed == 0 { return .unchanged }
        if let changed, changed <= EncodingPass.smallDelta { return keepDelta(of: changed) }
        if let original = earlierDuplicate(of: page, hash, position) {
            references.append(UInt32(original))
            return .duplicateInBatch
        }
        if let original = heldDuplicate(of: page, hash) {
            references.append(original.rawValue)
            return .duplicateInMemory
        }
        if let changed, changed <= EncodingPass.deltaLimit { return keepDelta(of: changed) }
        return .literal
    }

    /// Writes mask and words behind those kept so far, without keeping them; `nil` without baseline.
    private mutating func changedWords(
        of page: UnsafeRawBufferPointer,
        _ number: PageNumber
    ) -> Int? {
        guard let baseline = job.baseline[number] else { return nil }
        let count = baseline.withUnsafeBytes { old in
            PageComparison.delta(
                of: page,
                against: old,
                mask: maskStart + deltas * Page.maskSize,
                words: workspace.words.start + statistics.changedWords * Page.wordSize
            )
        }
        if count == 0 {
            work.compared += Page.size
        } else {
            work.differenced += Page.size
        }
        return count
    }

    private mutating func keepDelta(of words: Int) -> PageClass {
        deltas += 1
        statistics.changedWords += words
        return .delta
    }

    /// Masks collect behind the room that the other structure fields need at most.
    var maskStart: UnsafeMutableRawPointer {
        let fields = BatchHeader.maximumStructurePerPage - Page.maskSize
        return workspace.structure.start + job.batch.pages.count * fields
    }

    private mutating func earlierDuplicate(
        of page: UnsafeRawBufferPointer,
        _ hash: UInt64,
        _ position: Int
    ) -> Int? {
        guard let candidate = earlier.findOrInsert(hash, position, hashes) else { return nil }
        work.compared += Page.size
        let equal = job.batch.pages[candidate].bytes.withUnsafeBytes {
            PageComparison.equal(page, $0)
        }
        return equal ? candidate : nil
    }

    private mutating func heldDuplicate(
        of page: UnsafeRawBufferPointer,
        _ hash: UInt64
    ) -> PageNumber? {
        guard let candidate = job.index.candidate(for: hash),
            job.baseline.contains(candidate), let held = job.baseline[candidate]
        else { return nil }
        work.compared += Page.size
        return held.withUnsafeBytes { PageComparison.equal(page, $0) } ? candidate : nil
    }
}
