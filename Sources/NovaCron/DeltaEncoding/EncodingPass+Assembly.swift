import Machines

extension EncodingPass {
    /// The batch in its byte form.
    mutating func assembled() -> EncodedBatch {
        var header = BatchHeader(
            session: job.session,
            sequence: job.sequence,
            generation: job.generation,
            pageCount: classes.count
        )
        header.pagesChecksum = PageHash.combined(job.batch.pages.lazy.map(\.number), hashes)
        let output = workspace.output.start
        var end = BatchHeader.size
        header.structure = append(structureSection(), at: &end)
        let words = workspace.words.bytes(statistics.changedWords * Page.wordSize)
        header.words = append(words, at: &end)
        header.literals = append(literalSection(), at: &end)
        let whole = UnsafeMutableRawBufferPointer(start: output, count: end)
        header.write(to: whole)
        BatchHeader.seal(whole)
        statistics.sentBytes = end
        statistics.decodedBytes =
            header.structure.decoded + header.words.decoded + header.literals.decoded
        work.checksummed += (classes.count - statistics[.zero]) * Page.size + end
        return EncodedBatch(
            session: job.session,
            sequence: job.sequence,
            bytes: Bytes(UnsafeRawBufferPointer(whole)),
            statistics: statistics,
            indexEntries: indexEntries(),
            cost: work.cost(at: job.configuration.compression)
        )
    }

    private func indexEntries() -> [EncodedBatch.IndexEntry] {
        guard job.configuration.form == .hierarchical else { return [] }
        var entries: [EncodedBatch.IndexEntry] = []
        entries.reserveCapacity(classes.count)
        for position in classes.indices where classes[position] != .zero {
            entries.append(
                EncodedBatch.IndexEntry(
                    hash: hashes[position],
                    page: job.batch.pages[position].number
                )
            )
        }
        return entries
    }

    /// Numbers as runs, classes, references; the masks are moved up behind them.
    private func structureSection() -> UnsafeRawBufferPointer {
        var writer = VariableLengthWriter(workspace.structure.start)
        writer.writeRuns(of: job.batch.pages)
        for pageClass in classes { writer.write(byte: pageClass.rawValue) }
        for reference in references { writer.write(UInt64(reference)) }
        let masks = deltas * Page.maskSize
        (workspace.structure.start + writer.count).copyMemory(from: maskStart, byteCount: masks)
        return workspace.structure.bytes(writer.count + masks)
    }

    private mutating func literalSection() -> UnsafeRawBufferPointer {
        var count = 0
        for position in literals {
            job.batch.pages[position].bytes.withUnsafeBytes {
                (workspace.literals.start + count).copyMemory(
                    from: $0.baseAddress!,
                    byteCount: Page.size
                )
            }
            count += Page.size
        }
        work.copied += count
        return workspace.literals.bytes(count)
    }

    /// Compresses a section into the output, or stores it when that does not make it shorter.
    private mutating func append(
        _ section: UnsafeRawBufferPointer,
        at end: inout Int
    ) -> BatchHeader.SectionLengths {
        let target = workspace.output.start + end
        let level = job.configuration.compression
        var sent = section.count
        if level != .none {
            work.compressed += section.count
        }
        if level != .none,
            let size = workspace.compress(section, level: level, into: target)
        {
            sent = size
        } else if let start = section.baseAddress {
            target.copyMemory(from: start, byteCount: section.count)
            work.copied += section.count
        }
        end += sent
        return BatchHeader.SectionLengths(decoded: section.count, sent: sent)
    }
}
