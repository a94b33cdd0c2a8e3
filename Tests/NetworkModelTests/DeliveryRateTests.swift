import NetworkModel
import Testing
import Units

/// The estimator of delivery rates, one acknowledgement after the other.
@Suite struct DeliveryRateTests {
    private static let start = Instant.zero + .seconds(1)

    /// Goal: the rate is what was delivered between a segment's sending and its acknowledgement,
    /// over the longer of both intervals. Method: four segments 10 ms apart, acknowledged after 100
    /// ms in two pairs.
    @Test func steady() {
        var delivery = DeliveryRate()
        let marks = (0..<4).map { index in
            delivery.mark(
                isFirst: index == 0,
                at: Self.start + .milliseconds(10 * Int64(index))
            )
        }
        func note(_ index: Int) {
            delivery.note(
                marks[index],
                sentAt: Self.start + .milliseconds(10 * Int64(index)),
                end: Int64(index + 1) * 1448
            )
        }
        note(0)
        note(1)
        let first = delivery.sample(
            newlyDelivered: 2,
            newlyLost: 0,
            smallestRoundTrip: .milliseconds(80),
            at: Self.start + .milliseconds(110)
        )
        #expect(first.delivered == 2)
        #expect(first.interval == .milliseconds(110))
        note(2)
        note(3)
        let second = delivery.sample(
            newlyDelivered: 2,
            newlyLost: 1,
            smallestRoundTrip: .milliseconds(80),
            at: Self.start + .milliseconds(130)
        )
        #expect(second.delivered == 4)
        #expect(second.interval == .milliseconds(130))
        #expect(second.losses == 1)
        #expect(delivery.delivered == 5)
    }

    /// Goal: acknowledgements squeezed together do not make the path look faster than data was
    /// sent. Method: ten segments over 90 ms, all acknowledged within a millisecond.
    @Test func compressedAcknowledgements() {
        var delivery = DeliveryRate()
        var marks: [DeliveryRate.Mark] = []
        for index in 0..<20 {
            marks.append(
                delivery.mark(
                    isFirst: index == 0,
                    at: Self.start + .milliseconds(10 * Int64(index))
                )
            )
        }
        var largest = 0.0
        for index in 0..<20 {
            delivery.note(
                marks[index],
                sentAt: Self.start + .milliseconds(10 * Int64(index)),
                end: Int64(index + 1) * 1448
            )
            let sample = delivery.sample(
                newlyDelivered: 1,
                newlyLost: 0,
                smallestRoundTrip: .milliseconds(20),
                at: Self.start + .milliseconds(290) + .microseconds(50 * Int64(index))
            )
            if sample.interval > .zero {
                largest = max(largest, Double(sample.delivered) / sample.interval.seconds)
            }
        }
        #expect(largest <= 101, "\(largest) segments a second where 100 were sent")
    }

    /// Goal: an interval shorter than any round trip measures nothing. Method: one acknowledgement
    /// after a tenth of it.
    @Test func tooShort() {
        var delivery = DeliveryRate()
        let mark = delivery.mark(isFirst: true, at: Self.start)
        delivery.note(mark, sentAt: Self.start, end: 1448)
        let sample = delivery.sample(
            newlyDelivered: 1,
            newlyLost: 0,
            smallestRoundTrip: .milliseconds(80),
            at: Self.start + .milliseconds(8)
        )
        #expect(sample.interval == .zero)
        let nothing = delivery.sample(
            newlyDelivered: 0,
            newlyLost: 0,
            smallestRoundTrip: .milliseconds(80),
            at: Self.start + .milliseconds(9)
        )
        #expect(nothing.delivered == -1)
    }

    /// Goal: what is sent while the application has nothing more is marked until it was delivered.
    /// Method: a limit with two in flight.
    @Test func applicationLimited() {
        var delivery = DeliveryRate()
        let before = delivery.mark(isFirst: true, at: Self.start)
        delivery.limitByApplication(inFlight: 2)
        let after = delivery.mark(isFirst: false, at: Self.start)
        #expect(delivery.isApplicationLimited)
        func take(_ mark: DeliveryRate.Mark, _ end: Int64, after milliseconds: Int64) -> RateSample
        {
            delivery.note(mark, sentAt: Self.start, end: end)
            return delivery.sample(
                newlyDelivered: 1,
                newlyLost: 0,
                smallestRoundTrip: .milliseconds(80),
                at: Self.start + .milliseconds(milliseconds)
            )
        }
        #expect(!take(before, 1448, after: 90).isApplicationLimited)
        #expect(take(after, 2896, after: 91).isApplicationLimited)
        #expect(delivery.isApplicationLimited)
        #expect(take(after, 4344, after: 92).isApplicationLimited)
        #expect(!delivery.isApplicationLimited)
    }
}
