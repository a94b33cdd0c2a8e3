import Machines
import Units

/// One walk over an encoded batch whose header was accepted.
struct DecodingPass {
    private let header: BatchHeader
    private let memory: PageTable
    private let workspace: DecodingWorkspace
    private var numbers: [PageNumber] = []
    private var classes: [PageClass] = []
    private var references: [UInt32] = []
    private var masks = UnsafeRawBufferPointer(start: nil, count: 0)
    private var words = UnsafeRawBufferPointer(start: nil, count: 0)
    private var literals = UnsafeRawBufferPointer(start: nil, count: 0)
    private var updates: [PageVersion] = []
    private var hashes: [UInt64] = []
    private var statistics = EncodingStatistics()
    private var nextReference = 0
    private var decompressed = 0
    private var copied = 0

    init(header: BatchHeader, memory: PageTable, workspace: DecodingWorkspace) {
        self.header = header
        self.memory = memory
        self.workspace = workspace
    }

    /// Numbers, classes, references and masks, checked against each other and the other sections.
    mutating func readStructure(in batch: UnsafeRawBufferPointer) throws(DecodingFailure) {
        let section = try opened(
            header.structure,
            of: batch,
            at: BatchHeader.size,
            into: workspace.structure
        )
        var reader = VariableLengthReader(section)
        numbers = try reader.runs(count: header.pageCount, pageCount: memory.pageCount)
        let classBytes = try reader.slice(header.pageCount)
        classes.reserveCapacity(header.pageCount)
        var referenceCount = 0
        for byte in classBytes {
            guard let pageClass = PageClass(rawValue: byte) else {
                throw .malformed("a page of class \(byte)")
            }
            classes.append(pageClass)
            statistics[pageClass] += 1
            if pageClass == .duplicateInBatch || pageClass == .duplicateInMemory {
                referenceCount += 1
            }
        }
        references.reserveCapacity(referenceCount)
        for _ in 0..<referenceCount { references.append(try reader.integer()) }
        masks = try reader.slice(statistics[.delta] * Page.maskSize)
        guard reader.remaining == 0 else { throw .malformed("structure after the masks") }
        for byte in masks { statistics.changedWords += byte.nonzeroBitCount }
        guard header.words.decoded == statistics.changedWords * Page.wordSize else {
            throw .malformed("masks and words do not agree")
        }
        guard header.literals.decoded == statistics[.literal] * Page.size else {
            throw .malformed("classes and literals do not agree")
        }
    }

    mutating func readContents(in batch: UnsafeRawBufferPointer) throws(DecodingFailure) {
        words = try opened(
            header.words,
            of: batch,
            at: BatchHeader.size + header.structure.sent,
            into: workspace.words
        )
        literals = try opened(
            header.literals,
            of: batch,
            at: BatchHeader.size + header.structure.sent + header.words.sent,
            into: workspace.literals
        )
    }

    /// The decoded bytes of a section: in place when it was stored.
    private mutating func opened(
        _ lengths: BatchHeader.SectionLengths,
        of batch: UnsafeRawBufferPointer,
        at offset: Int,
        into buffer: Buffer
    ) throws(DecodingFailure) -> UnsafeRawBufferPointer {
        let sent = UnsafeRawBufferPointer(rebasing: batch[offset..<offset + lengths.sent])
        guard lengths.isCompressed else { return sent }
        buffer.reserve(lengths.decoded)
        decompressed += lengths.decoded
        guard
            workspace.decompress(
                sent,
                into: buffer.start,
                length: lengths.decoded
            )
        else { throw .corruptCompression }
        return buffer.bytes(lengths.decoded)
    }

    mutating func rebuild(_ position: Int) throws(DecodingFailure) {
        let number = numbers[position]
        let content: Bytes
        var knownHash: UInt64?
        switch classes[position] {
        case .zero:
            content = Page.zero
            knownHash = PageHash.ofZeroPage
        case .unchanged:
            content = try held(number, for: number)
        case .duplicateInBatch:
            let original = Int(nextReferenceValue())
            guard original < position else {
                throw .malformed("a duplicate of a later page in its batch")
            }
            content = updates[original].bytes
            knownHash = hashes[original]
        case .duplicateInMemory:
            content = try held(PageNumber(nextReferenceValue()), for: number)
        case .delta:
            content = patched(try held(number, for: number))
        case .literal:
            let page = UnsafeRawBufferPointer(rebasing: literals[..<Page.size])
            literals = UnsafeRawBufferPointer(rebasing: literals[Page.size...])
            content = Bytes(page)
            copied += Page.size
        }
        updates.append(PageVersion(number, content))
        hashes.append(knownHash ?? content.withUnsafeBytes { Checksum.of($0) })
    }

    private mutating func nextReferenceValue() -> UInt32 {
        defer { nextReference += 1 }
        return references[nextReference]
    }

    private func held(
        _ reference: PageNumber,
        for page: PageNumber
    ) throws(DecodingFailure) -> Bytes {
        guard memory.contains(reference), let content = memory[reference] else {
            throw .unknownReference(page: page, reference: reference)
        }
        return content
    }

    /// The baseline with the words that the next mask names replaced by the next words.
    private mutating func patched(_ baseline: Bytes) -> Bytes {
        let mask = UnsafeRawBufferPointer(rebasing: masks[..<Page.maskSize])
        masks = UnsafeRawBufferPointer(rebasing: masks[Page.maskSize...])
        var used = 0
        let content = [UInt8](unsafeUninitializedCapacity: Page.size) { target, count in
            let page = UnsafeMutableRawPointer(target.baseAddress!)
            baseline.withUnsafeBytes {
                page.copyMemory(from: $0.baseAddress!, byteCount: Page.size)
            }
            for group in 0..<Page.maskSize / 8 {
                var bits = UInt64(
                    littleEndian: mask.loadUnaligned(fromByteOffset: group * 8, as: UInt64.self)
                )
                while bits != 0 {
                    let word = group &* 64 &+ bits.trailingZeroBitCount
                    page.storeBytes(
                        of: words.loadUnaligned(fromByteOffset: used &* 8, as: UInt64.self),
                        toByteOffset: word &* 8,
                        as: UInt64.self
                    )
                    used &+= 1
                    bits &= bits &- 1
                }
            }
            count = Page.size
        }
        words = UnsafeRawBufferPointer(rebasing: words[(used * Page.wordSize)...])
        return Bytes(content)
    }

    mutating func finished(sentBytes: Int) throws(DecodingFailure) -> DecodedBatch {
        guard PageHash.combined(numbers, hashes) == header.pagesChecksum else {
            throw .pagesChecksumMismatch
        }
        statistics.sentBytes = sentBytes
        statistics.decodedBytes =
            header.structure.decoded + header.words.decoded + header.literals.decoded
        let fresh = classes.count - statistics[.zero] - statistics[.duplicateInBatch]
        return DecodedBatch(
            session: header.session,
            sequence: header.sequence,
            updates: updates,
            statistics: statistics,
            pagesChecksum: header.pagesChecksum,
            cost: WorkCost([
                WorkCost.Part(.checksum, ByteCount(sentBytes + fresh * Page.size)),
                WorkCost.Part(.zstdDecompress, ByteCount(decompressed)),
                WorkCost.Part(.apply, ByteCount(statistics[.delta] * Page.size)),
                WorkCost.Part(.copy, ByteCount(copied)),
            ])
        )
    }
}
