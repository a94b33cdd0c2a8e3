import DeltaEncoding
import Determinism
import Machines
import Testing
import Units

// Goal: no bytes from a peer crash, hang or fool the decoder.
// Method: 200,000 seeded inputs: random bytes, mutations of valid batches as they arrive, and the
// same with the checksum repaired, so that they reach the parsers behind it. Whatever is accepted
// must decode to the pages of the original.
@Suite struct FuzzTests {
    private struct Case {
        let decoder: BatchDecoder
        let bytes: [UInt8]
        let pages: [PageVersion]
    }

    private static func cases() throws -> [Case] {
        var cases: [Case] = []
        for compression in [EncodingConfiguration.Compression.none, .level1] {
            for form in EncodingConfiguration.Form.allCases {
                var memory = TestMemory(pageCount: 24, seed: 11)
                var encoder = BatchEncoder(
                    session: 1,
                    configuration: EncodingConfiguration(form: form, compression: compression),
                    receiver: PageTable(pageCount: 24)
                )
                var decoder = BatchDecoder(session: 1, memory: PageTable(pageCount: 24))
                var numbers = Array(memory.allNumbers.prefix(form == .literal ? 2 : 24))
                for _ in 0..<6 {
                    let batch = memory.batch(numbers)
                    let encoded = encoder.prepare(batch).run()
                    encoder.integrate(encoded)
                    cases.append(
                        Case(decoder: decoder, bytes: [UInt8](encoded.bytes), pages: batch.pages)
                    )
                    try decoder.integrate(try decoder.prepare(encoded.bytes).run().get())
                    numbers = Array(memory.mutate().prefix(form == .literal ? 2 : 24))
                }
            }
        }
        return cases
    }

    @Test func nothingMalformedIsAccepted() throws {
        let cases = try Self.cases()
        var random = SeededRandom(
            seed: 1,
            entity: EntityID(.experiment, 0),
            purpose: "batch fuzz"
        )
        var rejected = 0
        var reached = 0
        let total = 200_000
        for round in 0..<total {
            let original = cases[Int(random.below(UInt64(cases.count)))]
            let input = Self.mutated(original.bytes, round, &random)
            switch original.decoder.prepare(input).run() {
            case .success(let batch):
                #expect(batch.updates == original.pages, "round \(round)")
            case .failure(let failure):
                rejected += 1
                if Self.isBehindTheChecksum(failure) { reached += 1 }
            }
        }
        // Some mutations change nothing, or only an encoding choice; most must be refused, and a
        // good part of them behind the checksum.
        #expect(rejected > total * 8 / 10)
        #expect(reached > total / 5)
    }

    private static func mutated(
        _ bytes: [UInt8],
        _ round: Int,
        _ random: inout SeededRandom
    ) -> Bytes {
        func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
        var input = bytes
        switch round % 8 {
        case 0:
            return Bytes((0..<below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        case 1:
            return Bytes(input.prefix(below(input.count)))
        case 2:
            input[below(input.count)] ^= UInt8(1 << below(8))
            return Bytes(input)
        case 3:
            // Structure sits right behind the header, where the parser has most to say.
            for _ in 0...below(3) {
                let place = min(input.count - 1, BatchHeader.size + below(90))
                input[place] = UInt8(truncatingIfNeeded: random.next())
            }
        case 4:
            input[24 + below(44)] = UInt8(truncatingIfNeeded: random.next())
        case 5:
            let place = BatchHeader.size + below(input.count - BatchHeader.size)
            input.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 6:
            input.remove(at: BatchHeader.size + below(input.count - BatchHeader.size))
            // The lengths say one byte more; take it from one of the sections.
            let field = [36, 40, 44, 48, 52, 56][below(6)]
            input[field] &-= 1
        default:
            for _ in 0...below(6) {
                input[below(input.count)] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        return resealed(input)
    }

    private static func isBehindTheChecksum(_ failure: DecodingFailure) -> Bool {
        switch failure {
        case .notABatch, .unsupportedVersion, .payloadChecksumMismatch, .trailingBytes: false
        case .truncated(_, let available): available == 0
        case .wrongSession, .outOfSequence, .baselineMissing, .outOfBounds, .pageOutsideMemory,
            .unknownReference, .malformed, .corruptCompression, .pagesChecksumMismatch:
            true
        }
    }
}
