import Testing
import Units

// Goal: quantities convert exactly, round in the safe direction and print what a reader expects.
// Method: known values, including those at which 64-bit products would overflow.
@Suite struct UnitsTests {
    @Test func serializationTimeRoundsUp() {
        let rate = BitRate(bitsPerSecond: 3)
        #expect(rate.serializationTime(of: ByteCount(1)) == .nanoseconds(2_666_666_667))
        let link = BitRate.megabits(100)
        #expect(link.serializationTime(of: ByteCount(1514)) == .nanoseconds(121_120))
    }

    @Test func serializationTimeSurvivesLargeTransfers() {
        let day = BitRate.gigabits(1).serializationTime(of: .gibibytes(10_000))
        #expect(day == .nanoseconds(85_899_345_920_000))
    }

    @Test func bytesInIntervalRoundDown() {
        #expect(BitRate(bitsPerSecond: 15).bytes(in: .seconds(1)) == ByteCount(1))
        #expect(BitRate.gigabits(100).bytes(in: .seconds(3600)) == ByteCount(45_000_000_000_000))
        #expect(BitRate.megabits(1).bytes(in: -.seconds(1)) == .zero)
    }

    @Test(arguments: [
        (Interval.milliseconds(76), "76 ms"), (.nanoseconds(1_500_000_000), "1.5 s"),
        (.nanoseconds(-2_500), "-2.5 us"), (.nanoseconds(999), "999 ns"), (.zero, "0 ns"),
        (.nanoseconds(1_000_000_001), "1.000000001 s"),
    ])
    func intervalsPrint(value: Interval, text: String) {
        #expect(value.description == text)
    }

    @Test func instantsStopAtTheEnd() {
        #expect(Instant.distantFuture.advanced(by: .seconds(1)) == .distantFuture)
        #expect(Instant.zero.advanced(by: .seconds(1)) == Instant(nanoseconds: 1_000_000_000))
    }

    @Test func entitiesOrderByKindThenIndex() {
        let ids = [
            EntityID(.experiment, 7), EntityID(.fault, 1), EntityID(.link, 0), EntityID(NodeID(0)),
            EntityID(NodeID(1)), EntityID(.executor, 0),
        ]
        #expect(ids == ids.sorted())
        #expect(EntityID(NodeID(5)).index == 5)
        #expect(EntityID(NodeID(5)).kind == .node)
    }

    @Test func quantitiesPrint() {
        #expect(ByteCount.mebibytes(64).description == "64 MiB")
        #expect(ByteCount(1500).description == "1500 B")
        #expect(ByteCount(1_000_000_000_000).description == "1 TB")
        #expect(ByteCount(0).description == "0 B")
        #expect(BitRate.megabits(200).description == "200 Mbit/s")
        #expect(BitRate(bitsPerSecond: 2_500_000_000).description == "2.5 Gbit/s")
    }
}
