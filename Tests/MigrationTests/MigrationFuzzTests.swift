import DeltaEncoding
import Determinism
import Machines
import Migration
import Testing
import Units

// Goal: what a peer sends is decoded to what was meant or rejected, and never traps.
// Method: round trips, then 100,000 mutated and 100,000 random inputs; whatever is accepted must
// encode to the same bytes again.
@Suite struct MigrationFuzzTests {
    private let chunks: [MigrationChunk] = [
        .offer(pageCount: 17),
        .batch,
        .end(batches: 5, MemoryDigest(pageCount: 9, heldPages: 9, checksum: 0x0123_4567_89AB_CDEF)),
    ]
    private let notes: [MigrationNote] =
        [.running] + MigrationNote.Reason.allCases.map { .failed($0) }

    @Test func roundTrips() throws {
        for chunk in chunks { #expect(try MigrationChunk(chunk.bytes) == chunk) }
        for note in notes { #expect(try MigrationNote(note.bytes) == note) }
        #expect(throws: WireError.self) { try MigrationChunk([]) }
        #expect(throws: WireError.self) { try MigrationChunk([1, 0, 0, 0]) }
        #expect(throws: WireError.self) { try MigrationNote([1, 0]) }
        #expect(throws: WireError.self) { try MigrationNote([2, 9]) }
    }

    @Test func mutatedAndRandomBytes() {
        var random = SeededRandom(stateFrom: 99)
        var accepted = 0
        for run in 0..<200_000 {
            var bytes: [UInt8]
            if run % 2 == 0 {
                let valid =
                    run % 4 == 0
                    ? chunks[Int(random.below(3))].bytes
                    : notes[Int(random.below(UInt64(notes.count)))].bytes
                bytes = [UInt8](valid)
                if random.below(3) == 0 { bytes.removeLast(Int(random.below(UInt64(bytes.count)))) }
                if random.below(3) == 0 { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
                if !bytes.isEmpty, random.below(2) == 0 {
                    bytes[Int(random.below(UInt64(bytes.count)))] ^= 1 << UInt8(random.below(8))
                }
            } else {
                bytes = (0..<random.below(30)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            if let chunk = try? MigrationChunk(bytes[...]), chunk != .batch {
                #expect([UInt8](chunk.bytes) == bytes)
                accepted += 1
            }
            if let note = try? MigrationNote(bytes[...]) {
                #expect([UInt8](note.bytes) == bytes)
                accepted += 1
            }
        }
        #expect(accepted > 1_000)
    }
}
