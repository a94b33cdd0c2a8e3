import Determinism
import Machines
import SocketEnvironment
import Testing
import Units

@Suite("Bytes from outside")
struct DecodingTests {
    // Goal: no preamble makes a node trap, and what is accepted is what was meant: its bytes are those
    // it was read from. Method: 200,000 inputs, half of them mutations of valid preambles, half noise.
    @Test func preambleFuzz() throws {
        var random = SeededRandom(stateFrom: 11)
        var accepted = 0
        for round in 0..<200_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                let id = StreamID(
                    opener: NodeID(UInt32(random.below(4))),
                    number: UInt32(truncatingIfNeeded: random.next())
                )
                bytes = StreamPreamble(id, receiveCredit: 1 + Int(random.below(1 << 32 - 1))).bytes
                #expect(bytes.count == StreamPreamble.length)
                for _ in 0..<random.below(3) {
                    bytes[Int(random.below(20))] ^= 1 << UInt8(random.below(8))
                }
                if random.below(8) == 0 { bytes.removeLast(Int(random.below(20))) }
            } else {
                bytes = (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            var reader = WireReader(bytes)
            let result = Result { () throws(WireError) in
                try StreamPreamble(from: &reader, to: NodeID(1), peers: 3)
            }
            guard case .success(let preamble) = result else { continue }
            accepted += 1
            #expect(preamble.bytes == Array(bytes.prefix(StreamPreamble.length)))
            #expect([0, 2].contains(preamble.stream.opener.rawValue))
        }
        #expect(accepted > 10_000)
    }

    // Goal: a journal gives back its records up to the first that is torn or damaged, whatever its
    // bytes are. Method: 100,000 journals that are cut, changed in one bit or followed by noise.
    @Test func journalFuzz() {
        var random = SeededRandom(stateFrom: 12)
        for _ in 0..<100_000 {
            let records = (0..<random.below(6)).map { _ in
                (0..<random.below(24)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            let whole = SocketJournal.encoded(records)
            var ends: [Int] = [0]
            for record in records { ends.append(ends[ends.count - 1] + 12 + record.count) }
            var bytes = whole
            var damage = whole.count
            switch random.below(3) {
            case 0:
                bytes.removeLast(Int(random.below(UInt64(whole.count + 1))))
                damage = bytes.count
            case 1 where !whole.isEmpty:
                damage = Int(random.below(UInt64(whole.count)))
                bytes[damage] ^= 1 << UInt8(random.below(8))
            default:
                bytes += (0..<random.below(30)).map { _ in UInt8(truncatingIfNeeded: random.next())
                }
            }
            let intact = ends.lastIndex { $0 <= damage } ?? 0
            let (found, valid) = SocketJournal.decoded(bytes)
            #expect(found == Array(records.prefix(intact)))
            #expect(valid == ends[intact])
        }
    }
}
