package import Units

/// How fast the path delivers, measured from each acknowledgement.
///
/// Source: draft-cheng-iccrg-delivery-rate-estimation and Linux's `tcp_rate.c`. Each transmission
/// notes how much had been delivered by then; when it is acknowledged, what was delivered since,
/// over the longer of the time it took to send and the time it took to acknowledge, is a lower
/// bound of the bottleneck's rate.
package struct DeliveryRate {
    /// What a transmission notes about the moment it left (`tcp_rate_skb_sent`).
    package struct Mark: BitwiseCopyable {
        /// When the transmission left whose acknowledgement was the latest at that moment: the
        /// start of the sending interval.
        var firstSentAt = Instant.zero
        var deliveredAt = Instant.zero
        /// Segments delivered in all by then; zero marks nothing, for the count starts at one.
        var delivered: Int64 = 0
        var isApplicationLimited = false
    }

    /// Segments delivered in all, by either kind of acknowledgement; the handshake counts as one.
    package private(set) var delivered: Int64 = 1
    /// When that last grew.
    package private(set) var deliveredAt = Instant.zero
    private var firstSentAt = Instant.zero
    /// Samples are limited by the application until more than this was delivered; zero when not.
    private var limitedUntil: Int64 = 0

    // The transmission that the acknowledgement at hand is measured by: the one sent last.
    private var candidate = Mark()
    private var candidateSentAt = Instant.zero
    private var candidateEnd: Int64 = 0

    package init() {}

    package var isApplicationLimited: Bool { limitedUntil > 0 }

    /// A segment leaves. `isFirst`: nothing else is unacknowledged, so the clock starts here.
    @inline(__always)
    package mutating func mark(isFirst: Bool, at now: Instant) -> Mark {
        if isFirst {
            firstSentAt = now
            deliveredAt = now
        }
        return Mark(
            firstSentAt: firstSentAt,
            deliveredAt: deliveredAt,
            delivered: delivered,
            isApplicationLimited: limitedUntil > 0
        )
    }

    /// A segment was reported as delivered, for the first time (`tcp_rate_skb_delivered`).
    @inline(__always)
    package mutating func note(_ mark: Mark, sentAt: Instant, end: Int64) {
        delivered += 1
        let isLater =
            candidate.delivered == 0 || sentAt > firstSentAt
            || (sentAt == firstSentAt && end > candidateEnd)
        guard isLater else { return }
        candidate = mark
        candidateSentAt = sentAt
        candidateEnd = end
        firstSentAt = sentAt
    }

    /// Nothing more is there to be sent, and the window has room: what is in flight now says
    /// nothing about the path (`tcp_rate_check_app_limited`).
    package mutating func limitByApplication(inFlight: Int) {
        limitedUntil = max(1, delivered + Int64(inFlight))
    }

    /// Closes the acknowledgement at hand (`tcp_rate_gen`).
    package mutating func sample(
        newlyDelivered: Int,
        newlyLost: Int,
        smallestRoundTrip: Interval,
        at now: Instant
    ) -> RateSample {
        if limitedUntil > 0, delivered > limitedUntil { limitedUntil = 0 }
        if newlyDelivered > 0 { deliveredAt = now }
        var sample = RateSample()
        sample.newlyDelivered = newlyDelivered
        sample.losses = newlyLost
        guard candidate.delivered > 0 else { return sample }
        sample.isApplicationLimited = candidate.isApplicationLimited
        sample.priorDelivered = candidate.delivered
        sample.delivered = Int(delivered - candidate.delivered)
        let sending = candidateSentAt - candidate.firstSentAt
        let acknowledging = now - candidate.deliveredAt
        let interval = max(sending, acknowledging)
        // Shorter than any round trip: an acknowledgement of a retransmission was meant for the
        // original.
        if interval >= smallestRoundTrip { sample.interval = interval }
        candidate.delivered = 0
        return sample
    }
}

/// What one acknowledgement says about the path (`struct rate_sample`).
package struct RateSample: BitwiseCopyable {
    /// Segments delivered over `interval`; negative without a measurement.
    package var delivered = -1
    /// Zero when nothing valid was measured.
    package var interval = Interval.zero
    /// Segments delivered in all when the measured transmission left.
    package var priorDelivered: Int64 = 0
    /// The application and not the path set the pace.
    package var isApplicationLimited = false
    /// Segments delivered by this acknowledgement, and newly deemed lost with it.
    package var newlyDelivered = 0
    package var losses = 0
    /// Round trip of the latest segment delivered; `nil` when ambiguous.
    package var roundTrip: Interval?
    /// In flight before the acknowledgement.
    package var priorInFlight = 0
    /// Perhaps held back by the receiver: of one short segment alone.
    package var isDelayed = false

    package init() {}
}

/// The largest value of the last `window` rounds, from three candidates (Nichols' algorithm, as
/// Linux's `win_minmax.c`).
struct WindowedMaximum: BitwiseCopyable {
    private struct Entry: BitwiseCopyable {
        var round: Int64
        var value: Int
    }

    private var best = Entry(round: 0, value: 0)
    private var second = Entry(round: 0, value: 0)
    private var third = Entry(round: 0, value: 0)

    var value: Int { best.value }

    mutating func add(_ value: Int, round: Int64, window: Int64) {
        let entry = Entry(round: round, value: value)
        if value >= best.value || round - third.round > window {
            best = entry
            second = entry
            third = entry
            return
        }
        if value >= second.value {
            second = entry
            third = entry
        } else if value >= third.value {
            third = entry
        }
        age(by: entry, window: window)
    }

    private mutating func age(by entry: Entry, window: Int64) {
        let elapsed = entry.round - best.round
        if elapsed > window {
            best = second
            second = third
            third = entry
            if entry.round - best.round > window {
                best = second
                second = third
                third = entry
            }
        } else if second.round == best.round, elapsed > window / 4 {
            second = entry
            third = entry
        } else if third.round == second.round, elapsed > window / 2 {
            third = entry
        }
    }
}
