import Determinism
import Machines
import Testing

// Goal: what is written is read back, and nothing that arrives can trap a reader.
// Method: round trips, every way to be too short, and 100,000 seeded random inputs.
@Suite struct WireTests {
    @Test func roundTrips() throws {
        var writer = WireWriter()
        writer.write(0x1234_5678 as UInt32)
        writer.write(-2 as Int64)
        writer.write(1.5)
        writer.write(lengthPrefixed: [1, 2, 3])
        var reader = WireReader(writer.bytes)
        #expect(try reader.read(UInt32.self) == 0x1234_5678)
        #expect(try reader.read(Int64.self) == -2)
        #expect(try reader.readDouble() == 1.5)
        #expect(try reader.readLengthPrefixed(limit: 3) == [1, 2, 3])
        try reader.expectEnd()
    }

    @Test func aWriterGrowsAndIsUsedAgain() throws {
        var writer = WireWriter(reusing: [9, 9, 9])
        writer.write(bytes: [] as [UInt8])
        #expect(writer.bytes == [] && writer.slice.isEmpty)
        writer.write(UInt16(0x0201))
        #expect(writer.bytes == [1, 2] && Array(writer.slice) == [1, 2])
        writer.write(lengthPrefixed: [UInt8](repeating: 7, count: 300))
        #expect(writer.count == 306 && writer.bytes.count == 306)
        let shared = writer.slice
        writer.removeAll()
        writer.write(UInt8(5))
        #expect(writer.bytes == [5] && shared.count == 306 && shared[0] == 1)
        #expect(writer.finished() == [5])
    }

    // Goal: what was taken back leaves no trace, and what was handed out before stays as it was. Method: writing,
    // taking back and writing again, also where the writer has grown in between.
    @Test func whatWasTakenBackLeavesNoTrace() {
        var writer = WireWriter()
        writer.write(0x0403_0201 as UInt32)
        let shared = writer.slice
        writer.removeLast(3)
        #expect(writer.count == 1 && writer.bytes == [1] && Array(writer.slice) == [1])
        writer.write(UInt16(0x0908))
        #expect(writer.count == 3 && writer.bytes == [1, 8, 9])
        #expect(Array(shared) == [1, 2, 3, 4])
        writer.removeLast(0)
        writer.write(lengthPrefixed: [UInt8](repeating: 7, count: 300))
        writer.removeLast(303)
        #expect(writer.bytes == [1, 8, 9, 44] && Array(writer.slice) == [1, 8, 9, 44])
        writer.removeLast(4)
        #expect(writer.count == 0 && writer.bytes == [] && writer.slice.isEmpty)
        writer.write(bytes: [5, 6] as [UInt8])
        #expect(writer.finished() == [5, 6])
    }

    @Test func onlyWhatWasWrittenIsTakenBack() async {
        await #expect(processExitsWith: .failure) {
            var writer = WireWriter(reserving: 8)
            writer.write(UInt8(1))
            writer.removeLast(2)
        }
    }

    @Test func bytesAreTheSameWherePlainComparisonSaysSo() {
        let bytes = (0..<40 as Range<UInt8>).map { $0 &* 37 }
        for start in 0..<9 {
            for end in start...40 {
                let left = bytes[start..<end]
                let right = Array(left)[...]
                #expect(left.isSame(as: right))
                for place in right.indices {
                    var other = right
                    other[place] ^= 0x80
                    #expect(!left.isSame(as: other))
                }
                #expect(left.isEmpty || !left.isSame(as: right.dropLast()))
            }
        }
    }

    /// Whether `order` says of two byte sequences, in both directions, what plain comparison says.
    private static func isPlain(_ left: Bytes, _ right: Bytes) -> Bool {
        let isBefore = left.lexicographicallyPrecedes(right)
        let isBehind = right.lexicographicallyPrecedes(left)
        let (there, back) = (left.order(to: right), right.order(to: left))
        return (there < 0) == isBefore && (there > 0) == isBehind
            && (back < 0) == isBehind && (back > 0) == isBefore
    }

    // Goal: bytes come in the order that plain comparison says, wherever they begin. Method: every length up to 20,
    // beside the same bytes elsewhere, with one of them changed or two, and beside all prefixes.
    @Test func bytesComeInTheOrderOfPlainComparison() {
        let bytes = (0..<40 as Range<UInt8>).map { $0 &* 37 }
        for length in 0...20 {
            for start in 0..<9 {
                let left = bytes[start..<start + length]
                // The same bytes elsewhere, and other ones around them.
                let place = (3 * start + length) % 8
                var padded = [UInt8](repeating: 0xA5, count: place)
                padded += left
                padded += [UInt8](repeating: 0xA5, count: 8)
                let right = padded[place..<place + length]
                #expect(left.order(to: right) == 0 && right.order(to: left) == 0)
                for change in [0x80, 1] as [UInt8] {
                    for first in right.indices {
                        var other = right
                        other[first] &+= change
                        #expect(WireTests.isPlain(left, other), "\(Array(left)), \(Array(other))")
                        // The first difference decides, whatever comes behind it.
                        for second in right.indices where second > first {
                            var twice = other
                            twice[second] &-= change
                            let isPlain = WireTests.isPlain(left, twice)
                            #expect(isPlain, "\(Array(left)), \(Array(twice))")
                        }
                    }
                }
                for end in 0..<length {
                    #expect(WireTests.isPlain(left, right.prefix(end)))
                    #expect(WireTests.isPlain(left.prefix(end), right))
                    #expect(left.order(to: right.prefix(end)) > 0)
                    #expect(left.prefix(end).order(to: right) < 0)
                }
            }
        }
    }

    @Test func integersAreLittleEndian() {
        var writer = WireWriter()
        writer.write(0x0102 as UInt16)
        #expect(writer.bytes == [2, 1])
    }

    @Test func shortAndLongInputsAreErrors() {
        var short = WireReader([1, 2, 3])
        #expect(throws: WireError.truncated(needed: 4, available: 3)) {
            try short.read(UInt32.self)
        }
        var long = WireReader([9, 0, 0, 0, 1])
        #expect(throws: WireError.tooLarge(length: 9, limit: 8)) {
            try long.readLengthPrefixed(limit: 8)
        }
        #expect(throws: WireError.self) { try WireReader([1]).expectEnd() }
    }

    @Test func readsSlicesThatDoNotStartAtZero() throws {
        let bytes: [UInt8] = [9, 9, 5, 0, 7]
        var reader = WireReader(bytes[2...])
        #expect(try reader.read(UInt16.self) == 5)
        #expect(try reader.read(count: 1) == [7])
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededRandom(stateFrom: 1)
        for _ in 0..<100_000 {
            let bytes = (0..<random.below(24)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var reader = WireReader(bytes)
            let before = reader.remaining
            _ = try? reader.readLengthPrefixed(limit: 1 << 20)
            _ = try? reader.read(UInt64.self)
            #expect(reader.remaining <= before)
        }
    }
}
