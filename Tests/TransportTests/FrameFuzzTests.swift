import Determinism
import Machines
import Testing
import Transport
import Units

private let session = TransportTheatre.session

// Goal: bytes from a peer are decoded to what was meant or rejected with an error, and never trap,
// hang or make an end hold more than its bounds.
// Method: round trips in random slices, then seeded mutations and noise, against the decoder and
// against both machines with their invariants checked.
@Suite struct FrameFuzzTests {
    private func frames(_ random: inout SeededRandom) -> [Frame] {
        (0..<random.below(4) + 1).map { _ in
            let kinds = FrameHeader.Kind.allCases
            let kind = kinds[Int(random.below(UInt64(kinds.count)))]
            var payload = Payload()
            if kind.payloadLimit > 0 {
                let count = Int(random.below(300))
                payload.append(
                    Bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                )
            }
            var header = FrameHeader(
                kind,
                session: session,
                number: random.below(8),
                value: random.below(5_000),
                isLast: kind == .chunk && random.below(4) == 0
            )
            header.seal(payload)
            return Frame(header: header, payload: payload)
        }
    }

    private func bytes(of frames: [Frame]) -> [UInt8] {
        frames.flatMap { [UInt8]($0.header.bytes) + [UInt8]($0.payload.joined()) }
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        for _ in 0..<random.below(3) + 1 where !bytes.isEmpty {
            let position = Int(random.below(UInt64(bytes.count)))
            switch random.below(4) {
            case 0: bytes[position] ^= 1 << UInt8(random.below(8))
            case 1: bytes.remove(at: position)
            case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
            default: bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
        }
    }

    @Test func slicesDoNotMatter() throws {
        var random = SeededRandom(stateFrom: 1)
        for _ in 0..<2_000 {
            let sent = frames(&random)
            var rest = bytes(of: sent)[...]
            var decoder = FrameDecoder(session: session)
            var found: [Frame] = []
            while !rest.isEmpty {
                var slice = rest.prefix(Int(random.below(90)) + 1)
                rest = rest.dropFirst(slice.count)
                while let frame = try decoder.next(from: &slice) { found.append(frame) }
            }
            #expect(found == sent)
            #expect(decoder.isBetweenFrames)
        }
    }

    @Test func foreignFramesAreRefused() {
        var header = FrameHeader(.hello, session: SessionID(sender: NodeID(3), number: 1))
        header.seal()
        var decoder = FrameDecoder(session: session)
        var rest = header.bytes
        #expect(throws: TransportError.self) { try decoder.next(from: &rest) }
    }

    // A frame that decodes after a mutation is one that the mutation did not touch: the checksum
    // covers every other byte.
    @Test func mutatedFrames() {
        var random = SeededRandom(stateFrom: 2)
        var rejected = 0
        for run in 0..<120_000 {
            let sent = frames(&random)
            var raw =
                run % 3 == 0
                ? (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                : bytes(of: sent)
            mutate(&raw, &random)
            var decoder = FrameDecoder(session: session)
            var rest = raw[...]
            do throws(TransportError) {
                while let frame = try decoder.next(from: &rest) {
                    #expect(run % 3 != 0)
                    #expect(sent.contains(frame))
                }
            } catch {
                rejected += 1
            }
            #expect(decoder.heldBytes <= raw.count)
        }
        #expect(rejected > 50_000)
    }

    @Test func machinesSurviveAnything() {
        var random = SeededRandom(stateFrom: 3)
        for _ in 0..<15_000 {
            let theatre = TransportTheatre(
                configuration: smallConfiguration(streams: 2, chunk: 1_000, window: 4_096)
            )
            theatre.toSender(.started)
            theatre.toReceiver(.streamOpened(theatre.stream(0), peer: NodeID(0)))
            theatre.toReceiver(.writable(theatre.stream(0), credit: 1_000))
            theatre.toSender(.streamOpened(theatre.stream(0), peer: NodeID(1)))
            theatre.toSender(.writable(theatre.stream(0), credit: 5_000))
            theatre.toSender(.requested(.enqueue(Payload([1, 2, 3]))))
            if random.below(4) > 0 { theatre.carry(0, limit: 40) }
            for _ in 0..<8 {
                var raw = bytes(of: frames(&random))
                if random.below(3) == 0 { mutate(&raw, &random) }
                if random.below(2) == 0 {
                    theatre.toReceiver(.readable(theatre.stream(0), raw[...]))
                } else {
                    theatre.toSender(.readable(theatre.stream(0), raw[...]))
                }
            }
            #expect(theatre.receiver.reassemblyBytes <= 4_096 + FrameHeader.payloadLimit)
        }
    }
}
