import DeltaEncoding
import Machines
import Testing

// Goal: every way in which a batch can be wrong is refused by name, and changes nothing.
// Method: take valid uncompressed batches, break one thing, repair the outer checksum where the
// breakage lies behind it, and compare the failure.
@Suite struct RejectionTests {
    /// A memory of eight held pages at the receiver and a batch of one delta on page 2.
    private struct Fixture {
        var encoder: BatchEncoder
        var decoder: BatchDecoder
        let image: [Bytes]
        let encoded: EncodedBatch

        /// Offsets inside the structure section of the batch: run, class, mask.
        static let structure = BatchHeader.size

        init() throws {
            image = (0..<8).map { Bytes([UInt8](repeating: UInt8($0 + 1), count: Page.size)) }
            encoder = BatchEncoder(
                session: 7,
                configuration: EncodingConfiguration(form: .hierarchical, compression: .none),
                receiver: PageTable(pageCount: 8)
            )
            decoder = BatchDecoder(session: 7, memory: PageTable(pageCount: 8))
            let all = image.enumerated().map { PageVersion(PageNumber(UInt32($0)), $1) }
            let first = encoder.prepare(PageBatch(all)).run()
            encoder.integrate(first)
            try decoder.integrate(try decoder.prepare(first.bytes).run().get())
            var changed = [UInt8](image[2])
            changed[100] = 200
            let batch = PageBatch([PageVersion(PageNumber(2), Bytes(changed))])
            encoded = encoder.prepare(batch).run()
        }

        func failure(_ bytes: Bytes) -> DecodingFailure? {
            switch decoder.prepare(bytes).run() {
            case .success: nil
            case .failure(let failure): failure
            }
        }

        /// The failure after `change`, with the batch checksum made right again.
        func failure(_ change: (inout [UInt8]) -> Void) -> DecodingFailure? {
            var bytes = [UInt8](encoded.bytes)
            change(&bytes)
            return failure(resealed(bytes))
        }
    }

    @Test func theUntouchedBatchIsAccepted() throws {
        let fixture = try Fixture()
        #expect(fixture.encoded.statistics[.delta] == 1)
        #expect(fixture.failure(fixture.encoded.bytes) == nil)
        #expect(fixture.failure { _ in } == nil)
    }

    @Test func framingErrors() throws {
        let fixture = try Fixture()
        let bytes = fixture.encoded.bytes
        #expect(fixture.failure(bytes.prefix(10)) == .truncated(needed: 76, available: 10))
        #expect(fixture.failure(bytes.dropLast(3)) == .truncated(needed: 75, available: 72))
        #expect(fixture.failure(bytes + [0, 0]) == .trailingBytes(2))
        #expect(fixture.failure { $0[0] = 0 } == .notABatch)
        #expect(fixture.failure { $0[4] = 9 } == .unsupportedVersion(9))
        #expect(fixture.failure { $0[5] = 1 } == .malformed("reserved bytes are not zero"))
        var damaged = [UInt8](bytes)
        damaged[damaged.count - 1] ^= 1
        #expect(fixture.failure(Bytes(damaged)) == .payloadChecksumMismatch)
    }

    @Test func identityErrors() throws {
        let fixture = try Fixture()
        #expect(fixture.failure { $0[8] = 8 } == .wrongSession(expected: 7, found: 8))
        #expect(fixture.failure { $0[16] = 5 } == .outOfSequence(expected: 1, found: 5))
        var lost = BatchDecoder(session: 7, memory: PageTable(pageCount: 8), generation: 3)
        let first = BatchEncoder(
            session: 7,
            configuration: .raw,
            receiver: PageTable(pageCount: 8),
            generation: 4
        )
        var encoder = first
        let page = PageVersion(PageNumber(0), fixture.image[0])
        let encoded = encoder.prepare(PageBatch([page])).run()
        guard case .failure(let failure) = lost.prepare(encoded.bytes).run() else {
            Issue.record("a batch without its baseline was accepted")
            return
        }
        #expect(failure == .baselineMissing(held: 3, needed: 4))
        // The same decoded batch cannot be applied twice.
        var decoder = fixture.decoder
        let decoded = try decoder.prepare(fixture.encoded.bytes).run().get()
        try decoder.integrate(decoded)
        #expect(throws: DecodingFailure.outOfSequence(expected: 2, found: 1)) {
            try decoder.integrate(decoded)
        }
        #expect(throws: DecodingFailure.wrongSession(expected: 9, found: 7)) {
            var other = BatchDecoder(session: 9, memory: PageTable(pageCount: 8))
            try other.integrate(decoded)
        }
        #expect(lost.nextSequence == 0)
        lost = BatchDecoder(session: 7, memory: PageTable(pageCount: 8), generation: 4)
        try lost.integrate(try lost.prepare(encoded.bytes).run().get())
    }

    @Test func boundsErrors() throws {
        let fixture = try Fixture()
        #expect(
            fixture.failure { $0.replace(at: 32, with: 5000) }
                == .outOfBounds("page count", value: 5000, limit: 4096)
        )
        #expect(
            fixture.failure { $0.replace(at: 32, with: 0) } == .malformed("a batch without pages")
        )
        // Decompression bombs: a section that claims more than its pages can need.
        #expect(
            fixture.failure { $0.replace(at: 44, with: 1 << 30) }
                == .outOfBounds("words", value: 1 << 30, limit: 4096)
        )
        #expect(
            fixture.failure {
                $0.replace(at: 36, with: 60)
            } == .outOfBounds("structure", value: 67, limit: 60)
        )
        #expect(fixture.failure { $0.replace(at: 36, with: 70) } == .corruptCompression)
    }

    @Test func structureErrors() throws {
        let fixture = try Fixture()
        let start = Fixture.structure
        #expect(
            fixture.failure { $0[start] = 60 }
                == .pageOutsideMemory(PageNumber(60), pageCount: 8)
        )
        #expect(
            fixture.failure { $0[start + 1] = 3 } == .outOfBounds("run", value: 4, limit: 1)
        )
        #expect(fixture.failure { $0[start + 2] = 6 } == .malformed("a page of class 6"))
        #expect(
            fixture.failure { $0[start + 2] = PageClass.zero.rawValue }
                == .malformed("structure after the masks")
        )
        #expect(
            fixture.failure { $0[start + 3] = 0xff }
                == .malformed("masks and words do not agree")
        )
        // The right shape with the wrong content is caught at the very end.
        #expect(fixture.failure { $0[start] = 3 } == .pagesChecksumMismatch)
        #expect(fixture.failure { $0[$0.count - 1] ^= 1 } == .pagesChecksumMismatch)
        #expect(fixture.failure { $0[60] ^= 1 } == .pagesChecksumMismatch)
    }

    // Goal: references to what the receiver does not hold are refused.
    // Method: send deltas, unchanged pages and duplicates to a receiver with an empty memory whose
    // session claims the same state.
    @Test func unknownReferences() throws {
        let content = Bytes([UInt8](repeating: 5, count: Page.size))
        var almost = [UInt8](content)
        almost[9] = 6
        var held = PageTable(pageCount: 4)
        held.set(PageNumber(1), to: content)
        let empty = BatchDecoder(session: 1, memory: PageTable(pageCount: 4))
        for page in [content, Bytes(almost)] {
            var encoder = BatchEncoder(
                session: 1,
                configuration: EncodingConfiguration(form: .hierarchical, compression: .none),
                receiver: held
            )
            let encoded = encoder.prepare(PageBatch([PageVersion(PageNumber(1), page)])).run()
            guard case .failure(let failure) = empty.prepare(encoded.bytes).run() else {
                Issue.record("a page without baseline was accepted")
                continue
            }
            #expect(
                failure == .unknownReference(page: PageNumber(1), reference: PageNumber(1))
            )
        }
    }

    // Goal: duplicate references may point backwards only.
    // Method: a batch of two equal pages; the reference is moved to itself and beyond.
    @Test func duplicatesPointBackwards() throws {
        let page = Bytes((0..<Page.size).map { UInt8(truncatingIfNeeded: $0) })
        var encoder = BatchEncoder(
            session: 1,
            configuration: EncodingConfiguration(form: .hierarchical, compression: .none),
            receiver: PageTable(pageCount: 4)
        )
        let decoder = BatchDecoder(session: 1, memory: PageTable(pageCount: 4))
        let pages = [PageVersion(PageNumber(0), page), PageVersion(PageNumber(1), page)]
        let encoded = encoder.prepare(PageBatch(pages)).run()
        #expect(encoded.statistics[.duplicateInBatch] == 1)
        // Structure: skip 0, run of 2, class literal, class duplicate, reference.
        let offset = BatchHeader.size + 4
        #expect(encoded.bytes[encoded.bytes.startIndex + offset] == 0)
        for reference in [1, 2, 100] as [UInt8] {
            var bytes = [UInt8](encoded.bytes)
            bytes[offset] = reference
            guard case .failure(let failure) = decoder.prepare(resealed(bytes)).run() else {
                Issue.record("a reference to position \(reference) was accepted")
                continue
            }
            #expect(failure == .malformed("a duplicate of a later page in its batch"))
        }
    }
}

extension [UInt8] {
    /// Overwrites a little-endian 32-bit field.
    fileprivate mutating func replace(at offset: Int, with value: UInt32) {
        for byte in 0..<4 { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }
}
