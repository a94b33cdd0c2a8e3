import Machines
import Units

/// The selective acknowledgements of the packet before, so that each packet costs only its news.
struct KnownBlocks {
    private var starts: (Int64, Int64, Int64) = (0, 0, 0)
    private var ends: (Int64, Int64, Int64) = (0, 0, 0)

    mutating func replace(by blocks: Packet.SackBlocks, base: Int64) {
        starts.0 = base + Int64(blocks.first.start)
        starts.1 = base + Int64(blocks.second.start)
        starts.2 = base + Int64(blocks.third.start)
        ends.0 = base + Int64(blocks.first.end)
        ends.1 = base + Int64(blocks.second.end)
        ends.2 = base + Int64(blocks.third.end)
    }

    /// The end of the known block around `offset`, or `nil`.
    func end(around offset: Int64) -> Int64? {
        if starts.0 <= offset, offset < ends.0 { return ends.0 }
        if starts.1 <= offset, offset < ends.1 { return ends.1 }
        if starts.2 <= offset, offset < ends.2 { return ends.2 }
        return nil
    }
}

/// What one acknowledgement told.
struct AcknowledgementNews {
    /// Segments that left the network, by either kind of acknowledgement.
    var delivered = 0
    var sackedSomething = false
    var advanced = false
    var acknowledgedRetransmission = false
    /// Send times of the earliest and latest segment that give an unambiguous round trip.
    var firstAcknowledged: Instant?
    var lastAcknowledged: Instant?
    var firstSacked: Instant?
    var lastSacked: Instant?
    /// One segment, shorter than others, was all that arrived: its acknowledgement was perhaps held
    /// back.
    var isLoneShortSegment = false
    /// Round trip of the latest of them.
    var latestRoundTrip: Interval?
    /// The receiver echoed a queue's mark.
    var echoesCongestion = false
    /// Losses newly found, and whether a retransmission was among them.
    var lost = 0
    var lostRetransmission = false
    /// The timer waits for suspects to become losses.
    var armedReordering = false
}

extension TCPEndpoint {
    /// Processes acknowledgement, window and selective acknowledgements (`tcp_ack`).
    mutating func takeAcknowledgement(
        _ packet: Packet,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        let upTo = packet.acknowledgement
        guard upTo >= una, upTo <= next else { return }
        takeWindow(packet)
        if board.isEmpty {
            // Nothing is waited for, except perhaps an open window.
            if timer.isSet, timerPurpose == .windowProbe {
                progress = now
                if peerLimit > next {
                    timer.clear()
                    backoff = 0
                }
            }
            sendPending(at: now, into: &effects)
            return
        }
        var news = AcknowledgementNews()
        news.echoesCongestion =
            parameters.usesCongestionNotification && packet.congestion.contains(.echo)
        let inFlightBefore = board.inFlight
        let lostBefore = board.lostInAll
        if packet.sack.count > 0 { takeBlocks(packet, &news) }
        if upTo > una { advance(to: upTo, at: now, &news, into: &effects) }
        measure(&news, echo: packet.echo, at: now)
        processTailProbe(upTo, news, at: now)
        var mustRetransmit = false
        if recovery != .open || news.sackedSomething || board.sackedOut > 0
            || news.echoesCongestion
        {
            mustRetransmit = react(to: &news, echo: packet.echo, at: now, into: &effects)
        }
        if news.advanced, !news.armedReordering {
            scheduleTailProbeOrTimeout(afterAcknowledgement: true, at: now, into: &effects)
        }
        if measuresDelivery {
            updateBBR(news, inFlightBefore: inFlightBefore, lostBefore: lostBefore, at: now)
        } else {
            adjustWindow(news, at: now)
        }
        if mustRetransmit { retransmitLost(at: now, into: &effects) }
        sendPending(at: now, into: &effects)
        if news.advanced { reportProgress(at: now, into: &effects) }
    }

    private mutating func takeBlocks(_ packet: Packet, _ news: inout AcknowledgementNews) {
        for index in 0..<packet.sack.count {
            let block = packet.sack[index]
            var offset = packet.acknowledgement + Int64(block.start)
            let end = min(packet.acknowledgement + Int64(block.end), next)
            var number = -1
            while offset < end {
                if let known = knownBlocks.end(around: offset) {
                    offset = known
                    number = -1
                    continue
                }
                if number < 0 { number = board.number(startingAtOrAfter: offset) }
                guard number < board.endNumber, board[number].end <= end else { break }
                if !board[number].flags.contains(.sacked) { sack(number, &news) }
                offset = board[number].end
                number += 1
            }
        }
        knownBlocks.replace(by: packet.sack, base: packet.acknowledgement)
    }

    private mutating func sack(_ number: Int, _ news: inout AcknowledgementNews) {
        let segment = board[number]
        if !segment.flags.contains(.everRetransmitted) {
            if segment.end < highestSacked { reorderingSeen = true }
            if news.firstSacked == nil { news.firstSacked = segment.sentAt }
            news.lastSacked = segment.sentAt
        }
        highestSacked = max(highestSacked, segment.end)
        pendingRack(segment)
        if measuresDelivery {
            delivery.note(segment.mark, sentAt: segment.sentAt, end: segment.end)
        }
        board.markSacked(number)
        news.sackedSomething = true
        news.delivered += 1
    }

    /// Removes what is acknowledged for good (`tcp_clean_rtx_queue`).
    private mutating func advance(
        to upTo: Int64,
        at now: Instant,
        _ news: inout AcknowledgementNews,
        into effects: inout EndpointEffects
    ) {
        while !board.isEmpty {
            let segment = board.first
            guard segment.end <= upTo else { break }
            if segment.flags.contains(.everRetransmitted) {
                news.acknowledgedRetransmission = true
            } else if !segment.flags.contains(.sacked) {
                if news.firstAcknowledged == nil { news.firstAcknowledged = segment.sentAt }
                news.lastAcknowledged = segment.sentAt
                if segment.end < highestSacked { reorderingSeen = true }
            }
            if !segment.flags.contains(.sacked) {
                news.delivered += 1
                pendingRack(segment)
                if measuresDelivery {
                    delivery.note(segment.mark, sentAt: segment.sentAt, end: segment.end)
                }
            }
            board.removeFirst()
        }
        if news.delivered == 1, !news.sackedSomething, upTo - una < Int64(parameters.maximumSegment)
        {
            news.isLoneShortSegment = true
        }
        una = upTo
        news.advanced = true
        progress = now
        backoff = 0
        effects.acknowledged = min(una, written)
        statistics.bytesAcknowledged = min(una, written)
    }

    /// Remembers the latest-sent segment among those delivered (`tcp_rack_advance`); the check
    /// against the smallest round trip happens with the clock in `measure`.
    @inline(__always)
    private mutating func pendingRack(_ segment: Scoreboard.Segment) {
        if segment.isSent(after: rackCandidate?.serial ?? rackSerial) { rackCandidate = segment }
    }

    /// Round-trip samples, RACK's clock, slow start's early exit.
    private mutating func measure(
        _ news: inout AcknowledgementNews,
        echo: UInt32,
        at now: Instant
    ) {
        var sample: Interval?
        var latest: Interval?
        if let first = news.firstAcknowledged, let last = news.lastAcknowledged,
            !news.acknowledgedRetransmission
        {
            sample = now - first
            latest = now - last
        }
        if let first = news.firstSacked, let last = news.lastSacked {
            if sample == nil { sample = now - first }
            latest = now - last
        }
        if sample == nil, news.advanced, echo != 0 {
            sample = .microseconds(Int64(TCPEndpoint.timestamp(now) &- echo))
            latest = sample
        }
        if let sample { roundTrip.add(sample) }
        if let candidate = rackCandidate {
            rackCandidate = nil
            let elapsed = now - candidate.sentAt
            // A retransmission answered sooner than any round trip: the original was delivered.
            let isDoubtful =
                candidate.flags.contains(.everRetransmitted)
                && elapsed < roundTrip.smallestOrZero
            if !isDoubtful {
                rackSerial = candidate.serial
                rackRoundTrip = elapsed
                rackAdvanced = true
            }
        }
        news.latestRoundTrip = latest
        if let latest {
            congestion.sample(
                latest,
                smallest: roundTrip.smallestOrZero,
                acknowledgedUpTo: una,
                sentUpTo: next,
                at: now
            )
        }
    }

    /// Tells the application about room for more, and about the path.
    private mutating func reportProgress(at now: Instant, into effects: inout EndpointEffects) {
        // Linux lets the send buffer hold twice the congestion window, and thrice BBR's, which may
        // grow during a recovery.
        let wanted = (measuresDelivery ? 3 : 2) * congestion.window * parameters.maximumSegment
        sendCapacity = max(sendCapacity, min(wanted, parameters.largestSendBuffer))
        let free = sendCapacity - Int(written - min(una, written))
        // Small steps are kept back, so that the application is not woken for every packet.
        let step = min(sendCapacity / 4, 64 << 10)
        if !isFinishing, free - knownCredit >= step {
            knownCredit = free
            effects.credit = free
        }
        if roundTrip.samples > 0, now - sampleStart >= roundTrip.smoothed {
            effects.path = pathSample(at: now)
            beginSample(at: now)
        }
    }
}
