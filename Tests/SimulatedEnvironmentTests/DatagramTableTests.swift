import Machines
import SimulatedEnvironment
import Testing
import Units

/// Goal: a datagram's bytes and message are its own, whatever came before in its slot. Method: messages that share
/// what was decoded with the buffer, kept while the slot is used again.
@Suite struct DatagramTableTests {
    /// Bytes with their length; decoding shares them.
    struct Note: WireMessage {
        let bytes: Bytes

        init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
        func encode(into writer: inout WireWriter) { writer.write(lengthPrefixed: bytes) }
        init(from reader: inout WireReader) throws(WireError) {
            bytes = try reader.readLengthPrefixed(limit: 1 << 20)
            try reader.expectEnd()
        }
    }

    @Test func slotsAreUsedAgainWithoutATrace() {
        var table = DatagramTable<Note>()
        var kept: [Note] = []
        for length in [0, 1, 100, 600, 3, 100_000, 2] {
            let note = Note([UInt8](repeating: UInt8(length & 255), count: length))
            let (token, size) = table.insert(note, from: NodeID(UInt32(length)))
            #expect(token == 0 && size == length + 4)
            #expect(table.sender(of: token) == NodeID(UInt32(length)))
            kept.append(table.opened(token).message)
            // A copy of the datagram arrives, too.
            #expect(table.opened(token).message == note)
            table.free(token)
        }
        #expect(kept.map(\.bytes.count) == [0, 1, 100, 600, 3, 100_000, 2])
        for note in kept {
            #expect(note.bytes.allSatisfy { $0 == UInt8(note.bytes.count & 255) })
        }
    }

    @Test func datagramsUnderWayHaveSlotsOfTheirOwn() {
        var table = DatagramTable<Note>()
        var tokens: [UInt32] = []
        for number in 0..<10 as Range<UInt8> {
            tokens.append(table.insert(Note([number]), from: NodeID(0)).token)
        }
        #expect(Set(tokens).count == 10)
        table.free(tokens[3])
        #expect(table.insert(Note([33]), from: NodeID(1)).token == tokens[3])
        let (late, early) = (table.opened(tokens[3]), table.opened(tokens[4]))
        #expect(late.message == Note([33]) && early.message == Note([4]))
    }

    @Test func aDigestIsOfTheSenderAndTheBytes() {
        var table = DatagramTable<Note>()
        let sent = [(Note([1, 2]), 0), (Note([1, 2]), 0), (Note([1, 2]), 1), (Note([1, 3]), 0)]
        let digests = sent.map { note, sender in
            let (token, _) = table.insert(note, from: NodeID(UInt32(sender)))
            return table.opened(token).digest
        }
        #expect(digests[0] == digests[1])
        #expect(Set(digests).count == 3)
    }

    /// A message as long as its box says.
    struct Parcel: WireMessage {
        final class Box: Sendable {
            let length: Int
            init(_ length: Int) { self.length = length }
        }
        let box: Box

        init(_ box: Box) { self.box = box }
        static func == (left: Parcel, right: Parcel) -> Bool { left.box.length == right.box.length }
        func encode(into writer: inout WireWriter) {
            writer.write(lengthPrefixed: [UInt8](repeating: 1, count: box.length))
        }
        init(from reader: inout WireReader) throws(WireError) {
            box = Box(try reader.readLengthPrefixed(limit: 1 << 20).count)
        }
    }

    @Test func longMessagesAreLetGo() {
        var table = DatagramTable<Parcel>()
        // The short one is still under way when the others come.
        let (first, _) = table.insert(Parcel(Parcel.Box(3)), from: NodeID(0))
        weak var held: Parcel.Box?
        var tokens: [UInt32] = []
        for _ in 0..<4 {
            let box = Parcel.Box(100_000)
            held = box
            tokens.append(table.insert(Parcel(box), from: NodeID(0)).token)
        }
        #expect(held != nil)
        for token in tokens { table.free(token) }
        #expect(held == nil)
        #expect(table.opened(first).message.box.length == 3)
    }

    @Test func aSlotIsFreedOnce() async {
        await #expect(processExitsWith: .failure) {
            var table = DatagramTable<Note>()
            let token = table.insert(Note([1]), from: NodeID(0)).token
            table.free(token)
            table.free(token)
        }
    }

    /// Says of itself what decoding makes of it.
    struct Claim: WireMessage {
        enum Fate: UInt8 {
            case isSame
            case isOther
            case isNone
        }
        var fate: Fate
        var number: UInt64

        init(_ fate: Fate, _ number: UInt64) {
            self.fate = fate
            self.number = number
        }
        func encode(into writer: inout WireWriter) {
            writer.write(fate.rawValue)
            writer.write(number)
        }
        init(from reader: inout WireReader) throws(WireError) {
            guard let fate = Fate(rawValue: try reader.read()), fate != .isNone else {
                throw .malformed("a claim to be nothing")
            }
            self.fate = fate
            number = try reader.read()
            if fate == .isOther { number += 1 }
            try reader.expectEnd()
        }
    }

    // Goal: a message with a wrong codec ends the run where it is opened. Method: one that decodes to something else
    // and one that does not decode, behind a sound one; up to there nothing happens to them.
    @Test func messagesWithAWrongCodecAreCarriedUnopened() {
        var table = DatagramTable<Claim>()
        let sound = table.insert(Claim(.isSame, 7), from: NodeID(2))
        let other = table.insert(Claim(.isOther, 7), from: NodeID(2))
        let none = table.insert(Claim(.isNone, 7), from: NodeID(2))
        #expect([sound.size, other.size, none.size] == [9, 9, 9])
        #expect(table.sender(of: other.token) == NodeID(2))
        table.free(none.token)
        table.free(other.token)
        #expect(table.opened(sound.token).message == Claim(.isSame, 7))
    }

    @Test func aMessageThatDecodesToAnotherIsNotOpened() async {
        await #expect(processExitsWith: .failure) {
            var table = DatagramTable<Claim>()
            let token = table.insert(Claim(.isOther, 7), from: NodeID(2)).token
            _ = table.opened(token)
        }
    }

    @Test func aMessageThatDoesNotDecodeIsNotOpened() async {
        await #expect(processExitsWith: .failure) {
            var table = DatagramTable<Claim>()
            let token = table.insert(Claim(.isNone, 7), from: NodeID(2)).token
            _ = table.opened(token)
        }
    }
}
