import Determinism
import Machines
package import Units

extension TCPEndpoint {
    /// Where a side's random decisions come from: the run's seed, its node, and how many connections
    /// that node had opened or been asked for before.
    package struct Randomness: BitwiseCopyable {
        var seed: UInt64 = 0
        var entity = EntityID(.stack, 0)
        var serial: UInt32 = 0

        package init() {}

        package init(seed: UInt64, entity: EntityID, serial: UInt32) {
            self.seed = seed
            self.entity = entity
            self.serial = serial
        }
    }

    /// The side is established: the handshake gave the first round trip.
    mutating func startBBR(at now: Instant) {
        let limit = pacing.map { Int($0.bitsPerSecond / 8) } ?? .max
        let random = SeededRandom(
            seed: randomness.seed,
            entity: randomness.entity,
            purpose: side == .opener ? "bbr cycle, opener" : "bbr cycle, acceptor",
            incarnation: randomness.serial
        )
        bbr = BBR(
            segment: parameters.maximumSegment,
            largestPace: max(1, limit),
            window: congestion.window,
            roundTrip: roundTrip.samples > 0 ? roundTrip.smallest : nil,
            delivered: delivery.delivered,
            random: random,
            at: now
        )
    }

    /// Closes the delivery sample of an acknowledgement and lets BBR set window and pace.
    mutating func updateBBR(
        _ news: AcknowledgementNews,
        inFlightBefore: Int,
        lostBefore: Int64,
        at now: Instant
    ) {
        var sample = delivery.sample(
            newlyDelivered: news.delivered,
            newlyLost: Int(board.lostInAll - lostBefore),
            smallestRoundTrip: roundTrip.smallestOrZero,
            at: now
        )
        sample.roundTrip = news.latestRoundTrip
        sample.priorInFlight = inFlightBefore
        sample.isDelayed = news.isLoneShortSegment
        let path = BBR.Path(
            inFlight: board.inFlight,
            lost: board.lostInAll,
            recovery: recovery,
            nextDeparture: nextPaced,
            smoothedRoundTrip: roundTrip.samples > 0 ? roundTrip.smoothed : nil
        )
        bbr?.update(
            sample,
            &delivery,
            path,
            window: &congestion.window,
            threshold: &congestion.threshold,
            at: now
        )
    }

    /// The application writes: had the path waited for it (`tcp_rate_check_app_limited`)?
    mutating func noteApplicationLimit() {
        if streamEnd - next < Int64(parameters.maximumSegment),
            board.inFlight < congestion.window,
            board.lostOut <= board.retransmittedOut
        {
            delivery.limitByApplication(inFlight: board.inFlight)
        }
    }

    /// Sends as window and pace allow, several segments at once: Linux hands the device buffers of
    /// about a millisecond's worth and paces between them (`tcp_write_xmit`).
    mutating func sendPaced(at now: Instant, into effects: inout EndpointEffects) {
        let most = bbr?.segmentsAtOnce ?? 1
        var hasSent = false
        while next < streamEnd {
            let room = congestion.window - board.inFlight
            guard room > 0 else { break }
            if mustWaitForPace(at: now, into: &effects) { break }
            let count = min(room, most)
            if count < most, isWorthWaiting(room: room, at: now) { break }
            var bytes = 0
            for _ in 0..<count {
                guard let length = nextLength else { break }
                sendNew(length, at: now, into: &effects)
                bytes += length
                hasSent = true
                if next >= streamEnd { break }
            }
            if bytes == 0 { break }
            advancePace(by: bytes, at: now)
        }
        afterSending(hasSent, at: now, into: &effects)
    }

    /// The payload of the next new segment, zero for a lone FIN; `nil` when the peer's window has no
    /// room for it.
    private var nextLength: Int? {
        let available = written - next
        let length = Int(min(Int64(parameters.maximumSegment), available))
        let room = peerLimit - next
        if available > 0, room < Int64(length) {
            // A short segment only when nothing is on its way (silly window avoidance).
            return board.isEmpty && room > 0 ? Int(room) : nil
        }
        return length
    }

    /// Whether the next acknowledgement will soon allow a larger burst (`tcp_tso_should_defer`).
    private func isWorthWaiting(room: Int, at now: Instant) -> Bool {
        if recovery.isCutting || board.isEmpty { return false }
        if now - nextPaced > .milliseconds(1) { return false }
        if Int64(room * parameters.maximumSegment) >= written - next { return false }
        if room >= congestion.window / 3 { return false }
        return now - board.first.sentAt >= roundTrip.smoothed / 2
    }

    /// When the next burst may leave, after one of `bytes` of payload. What a timer fired too late
    /// is given back, up to half of the burst (`tcp_update_skb_after_send`).
    mutating func advancePace(by bytes: Int, at now: Instant) {
        guard let bbr, bbr.pace > 0 else { return }
        let before = nextPaced
        nextPaced = max(nextPaced, now)
        // The first window is not paced.
        guard statistics.segmentsSent >= 10 else { return }
        let length = Int64(bytes * 1_000_000_000 / bbr.pace)
        let credit = (nextPaced - before).nanoseconds
        nextPaced += .nanoseconds(length - min(length / 2, credit))
    }

    mutating func mustWaitForPace(at now: Instant, into effects: inout EndpointEffects) -> Bool {
        guard now < nextPaced else { return false }
        if pacingTimer.set(nextPaced) { effects.pacingWake = nextPaced }
        return true
    }
}
