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
}
