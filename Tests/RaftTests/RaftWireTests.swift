import Determinism
import Machines
import Raft
import Testing
import Units

// Goal: messages and records survive their byte form, and no bytes from outside trap.
// Method: seeded values of every kind are encoded and decoded; then their bytes are cut, changed and
// lengthened, and pure noise is decoded, which must give a value or a typed error.
@Suite struct RaftWireTests {
    /// Draws values of every kind.
    struct Draw {
        var random: SeededRandom

        mutating func number() -> UInt64 { random.next() >> (1 + random.below(62)) }

        mutating func bytes() -> Bytes {
            var result: [UInt8] = []
            for _ in 0..<random.below(20) { result.append(UInt8(random.below(256))) }
            return result[...]
        }

        mutating func nodes() -> [NodeID] {
            var result: [NodeID] = []
            for node in 0..<8 as Range<UInt32> where random.below(2) == 0 {
                result.append(NodeID(node))
            }
            return result
        }

        mutating func membership() -> Membership {
            let voters = nodes() + [NodeID(9)]
            let learners = nodes().filter { !voters.contains($0) }
            let outgoing = nodes()
            let witness = NodeID(UInt32(random.below(10)))
            let plain = try! Membership(voters: voters, outgoing: outgoing, learners: learners)
            // Where it is a voter, and not too much of a group.
            let special = try? Membership(
                voters: voters,
                outgoing: outgoing,
                learners: learners,
                witnesses: [witness]
            )
            return special ?? plain
        }

        mutating func entries(through term: Term) -> [LogEntry] {
            (0..<random.below(4)).map { _ in
                switch random.below(4) {
                case 0: LogEntry(term: term, .nothing)
                case 3: LogEntry(term: term, .withheld(digest: random.next()))
                case 1: LogEntry(term: term, .command(bytes()))
                default: LogEntry(term: term, .membership(membership()))
                }
            }
        }

        mutating func point() -> SnapshotPoint {
            SnapshotPoint(
                index: number() >> 1,
                term: number(),
                membership: membership(),
                isStateWithheld: random.below(2) == 0
            )
        }

        mutating func snapshot() -> RaftRecord {
            let point = point()
            return .snapshot(point, state: point.isStateWithheld ? [] : bytes())
        }

        mutating func record() -> RaftRecord {
            switch random.below(5) {
            case 0: .hardState(term: number(), vote: nil)
            case 1: .hardState(term: number(), vote: NodeID(UInt32(random.below(99))))
            case 2: .truncate(from: number())
            case 3: .entries(first: 1 + number() >> 2, entries(through: number()))
            default: snapshot()
            }
        }
    }

    private func encoded(_ message: some WireMessage) -> [UInt8] {
        var writer = WireWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    private func decoded<Message: WireMessage>(
        _ type: Message.Type,
        _ bytes: [UInt8]
    ) -> Result<Message, WireError> {
        var reader = WireReader(bytes)
        do throws(WireError) {
            return .success(try Message(from: &reader))
        } catch {
            return .failure(error)
        }
    }

    @Test func recordsSurvive() {
        var draw = Draw(random: SeededRandom(stateFrom: 11))
        for round in 0..<4_000 {
            let record = draw.record()
            let bytes = encoded(record)
            #expect(decoded(RaftRecord.self, bytes) == .success(record), "round \(round)")
            damage(bytes, RaftRecord.self, &draw.random)
        }
    }

    /// Every message that a cluster sends passes through its byte form in `RaftCluster`; here the same
    /// bytes are damaged.
    @Test func damagedMessagesDoNotTrap() {
        var random = SeededRandom(stateFrom: 12)
        for kind in 1...13 as ClosedRange<UInt8> {
            for _ in 0..<2_000 {
                var bytes: [UInt8] = [kind]
                for _ in 0..<random.below(90) { bytes.append(UInt8(random.below(4) * 63)) }
                if case .success(let message) = decoded(RaftMessage.self, bytes) {
                    #expect(encoded(message) == bytes, "\(message)")
                }
                damage(bytes, RaftMessage.self, &random)
            }
        }
    }

    @Test func falseLengthsAreRefused() {
        // A list of four thousand million entries in nine bytes.
        var writer = WireWriter()
        writer.write(UInt8(4))
        writer.write(LogIndex(1))
        writer.write(UInt32.max)
        #expect(throws: WireError.self) {
            var reader = WireReader(writer.bytes)
            _ = try RaftRecord(from: &reader)
        }
    }

    private func damage<Message: WireMessage>(
        _ bytes: [UInt8],
        _ type: Message.Type,
        _ random: inout SeededRandom
    ) {
        var changed = bytes
        switch random.below(3) {
        case 0: changed.removeLast(min(changed.count, 1 + Int(random.below(8))))
        case 1: changed.append(UInt8(random.below(256)))
        default:
            guard !changed.isEmpty else { return }
            changed[Int(random.below(UInt64(changed.count)))] ^= UInt8(1 << random.below(8))
        }
        if case .success(let message) = decoded(Message.self, changed) {
            // What decodes has one byte form.
            #expect(encoded(message) == changed)
        }
    }
}
