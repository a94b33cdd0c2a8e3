import Determinism
import Machines
import RDMAEnvironment
import StreamLinks
import Testing
import Units

// Goal: what peers tell before and on a link decodes to what was encoded, and nothing else traps.
// Method: round trips, cut and changed bytes, and seeded noise.
@Suite("Messages of a link")
struct LinkOfferTests {
    static func offer(_ random: inout SeededRandom) -> LinkOffer {
        LinkOffer(
            node: NodeID(UInt32(random.below(3))),
            queuePair: UInt32(random.below(1 << 24)),
            packetNumber: UInt32(random.below(1 << 24)),
            ringAddress: random.next() >> 1,
            ringKey: UInt32(truncatingIfNeeded: random.next()),
            ringLength: 4_096 + Int(random.below(1 << 20)),
            receives: 16 + Int(random.below(1_000)),
            lid: UInt16(truncatingIfNeeded: random.next()),
            mtu: UInt8(1 + random.below(5)),
            gid: (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        )
    }

    @Test func offersComeBackAsTheyWere() throws {
        var random = SeededRandom(stateFrom: 1)
        for _ in 0..<1_000 {
            let offer = LinkOfferTests.offer(&random)
            #expect(offer.bytes.count == LinkOffer.length)
            #expect(try LinkOffer(from: offer.bytes, to: NodeID(3), peers: 4) == offer)
        }
    }

    @Test func foreignOffersAreRefused() {
        var random = SeededRandom(stateFrom: 2)
        for _ in 0..<20_000 {
            var bytes = LinkOfferTests.offer(&random).bytes
            switch random.below(4) {
            case 0: bytes.removeLast(1 + Int(random.below(64)))
            case 1: bytes.append(0)
            case 2: bytes[Int(random.below(64))] ^= UInt8(1 + random.below(255))
            default: bytes = bytes.map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            guard let offer = try? LinkOffer(from: bytes, to: NodeID(3), peers: 4) else { continue }
            // Whatever is taken is within the bounds, and means the same bytes.
            #expect(offer.bytes == bytes)
            #expect(offer.node.rawValue < 3)
            #expect(LinkOffer.ringLengths.contains(offer.ringLength))
            #expect(LinkOffer.receiveCounts.contains(offer.receives))
        }
    }

    // A node makes no link to itself, and strangers none at all.
    @Test func onlyPeersMakeLinks() {
        var random = SeededRandom(stateFrom: 3)
        let offer = LinkOfferTests.offer(&random)
        #expect(throws: WireError.self) {
            try LinkOffer(from: offer.bytes, to: offer.node, peers: 4)
        }
        #expect(throws: WireError.self) {
            try LinkOffer(from: offer.bytes, to: NodeID(9), peers: Int(offer.node.rawValue))
        }
    }

    @Test func controlMessages() throws {
        var random = SeededRandom(stateFrom: 4)
        for _ in 0..<20_000 {
            let message = ControlMessage(
                ControlMessage.Kind.allCases.randomElement(using: &random)!,
                stream: UInt32(truncatingIfNeeded: random.next()),
                value: 1 + random.below(UInt64(UInt32.max)),
                priority: UInt8(truncatingIfNeeded: random.next()),
                bytesTaken: random.next(),
                messagesTaken: random.next()
            )
            var bytes = message.bytes
            #expect(bytes.count == ControlMessage.length)
            #expect(try ControlMessage(from: bytes[...]) == message)
            bytes[Int(random.below(32))] ^= UInt8(1 + random.below(255))
            if random.chance(Ratio(0.1)) { bytes.removeLast(Int(random.below(33))) }
            if let changed = try? ControlMessage(from: bytes[...]) {
                #expect(changed.bytes == bytes && changed != message)
            }
        }
    }
}
