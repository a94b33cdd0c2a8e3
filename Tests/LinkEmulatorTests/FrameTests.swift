import Determinism
import Foundation
import LinkEmulator
import Testing
import Units

/// Goal: the emulator reads and changes packets as RFC 791 and RFC 1624 say and survives any bytes;
/// its slots and its account of lateness lose nothing.
/// Method: a packet made by hand, checksums computed anew, seeded noise, round trips.
@Suite struct FrameTests {
    /// A UDP packet from the first node to the second, with a valid header checksum.
    private static func packet(serviceField: UInt8 = 0) -> [UInt8] {
        var bytes: [UInt8] = [
            0x45, serviceField, 0, 32, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
            0x30, 0x39, 0x13, 0x88, 0, 12, 0, 0, 1, 2, 3, 4,
        ]
        let checksum = headerChecksum(bytes)
        bytes[10] = UInt8(checksum >> 8)
        bytes[11] = UInt8(checksum & 255)
        return bytes
    }

    /// RFC 1071 over the header, its checksum field taken as zero.
    private static func headerChecksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: 20, by: 2) where index != 10 {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        return ~UInt16(sum)
    }

    private static func with<Value>(
        _ bytes: inout [UInt8],
        _ body: (IPv4Frame?) -> Value
    ) -> Value {
        bytes.withUnsafeMutableBytes { body(IPv4Frame($0)) }
    }

    @Test func aPacketSaysWhereItGoesAndHowLargeItIs() {
        var bytes = Self.packet()
        Self.with(&bytes) { frame in
            #expect(frame?.destination == IPv4Address(of: NodeID(1)))
            #expect(frame?.wireBytes == 32 + 14)
            #expect(frame?.isECNCapable == false)
        }
        var capable = Self.packet(serviceField: 2)
        Self.with(&capable) { #expect($0?.isECNCapable == true) }
    }

    @Test func packetsOfOneFlowAreToldFromThoseOfAnother() {
        var first = Self.packet()
        var again = Self.packet()
        again[31] = 9
        var other = Self.packet()
        other[21] ^= 1
        let flows = [
            Self.with(&first) { $0?.flow }, Self.with(&again) { $0?.flow },
            Self.with(&other) { $0?.flow },
        ]
        #expect(flows[0] == flows[1])
        #expect(flows[0] != flows[2])
    }

    @Test func aMarkKeepsTheHeaderValid() {
        for service in [UInt8(0), 1, 2, 3, 0xFE] {
            var bytes = Self.packet(serviceField: service)
            Self.with(&bytes) { $0?.mark() }
            #expect(bytes[1] == service | 3)
            #expect(UInt16(bytes[10]) << 8 | UInt16(bytes[11]) == Self.headerChecksum(bytes))
        }
    }

    @Test func noiseIsRefusedOrReadWithoutATrap() {
        var random = SeededRandom(seed: 7, entity: EntityID(.experiment, 0), purpose: "noise")
        for _ in 0..<20_000 {
            let count = Int(random.next() % 80)
            var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if count > 0, random.next() % 2 == 0 { bytes[0] = 0x40 | bytes[0] & 15 }
            Self.with(&bytes) { frame in
                guard let frame else { return }
                _ = (frame.destination, frame.flow, frame.isECNCapable)
                frame.mark()
                frame.spoil()
            }
        }
    }

    @Test func addressesAreDistinctAndPrintable() {
        #expect(IPv4Address(of: NodeID(0)).description == "10.0.0.1")
        #expect(IPv4Address(of: NodeID(255)).description == "10.0.1.0")
    }

    @Test func slotsAreGivenOnceAndTakenBack() throws {
        var slots = try FrameSlots(capacity: 4)
        var taken: Set<UInt32> = []
        for length in 1...4 {
            let slot = slots.next
            slots.room(of: slot)[0] = UInt8(length)
            slots.take(length: length)
            #expect(taken.insert(slot).inserted)
            let count = slots.frame(in: slot).count
            #expect(count == length)
        }
        let isExhausted = slots.isExhausted
        #expect(isExhausted)
        slots.giveBack(2)
        let next = slots.next
        #expect(next == 2)
    }

    @Test func latenessIsCountedAndSurvivesItsWrittenForm() throws {
        var errors = DelayErrors()
        for index in 0..<1000 { errors.record(nanoseconds: Int64(index) * 1000) }
        errors.record(nanoseconds: -5)
        errors.record(nanoseconds: 50_000_000)
        #expect(errors.count == 1002)
        #expect(errors.microseconds(0.5) == 500)
        #expect(errors.maximumNanoseconds == 50_000_000)
        let data = try JSONEncoder().encode(errors)
        #expect(try JSONDecoder().decode(DelayErrors.self, from: data) == errors)
        for bad in [#"{"buckets":[1],"maximum":1}"#, #"{"buckets":[99999,1],"maximum":1}"#] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(DelayErrors.self, from: Data(bad.utf8))
            }
        }
    }
}
