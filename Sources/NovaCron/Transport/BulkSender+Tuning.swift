import Machines
import Units

/// What a sender has measured since an epoch of its tuner began.
struct TuningEpoch: Sendable {
    /// When measuring begins, and whether it has.
    var start = Instant.zero
    var hasBegun = false
    /// What the path has carried of chunks and their frames, without what was sent twice. Not what the receiver has
    /// acknowledged: chunks come whole, so that fresh streams would be seen to bring nothing for as long as their
    /// first ones take.
    var bytes = 0.0
    /// Of the medium's samples.
    var samples = 0
    var loss = 0.0
    var roundTripSeconds = 0.0
    var smallestRoundTrip = Interval(nanoseconds: .max)
    /// There was a moment at which the application had nothing to send.
    var isStarved = false

    mutating func restart(at time: Instant) {
        self = TuningEpoch()
        start = time
    }

    mutating func take(_ sample: PathSample) {
        samples += 1
        loss += sample.loss.value
        roundTripSeconds += sample.rtt.seconds
        smallestRoundTrip = min(smallestRoundTrip, sample.rtt)
    }

    var roundTrip: Interval? {
        samples == 0
            ? nil : Interval(nanoseconds: Int64(roundTripSeconds / Double(samples) * 1e9))
    }
}

/// Measuring the path, and following the tuner.
extension BulkSender {
    /// Between two looks of the watch: a fraction of a round trip.
    private var watchPeriod: Interval {
        min(.milliseconds(250), max(.milliseconds(50), typicalRoundTrip / 4))
    }

    /// The round trip of the lanes measured, or what the configuration says.
    var typicalRoundTrip: Interval {
        measured.roundTrip ?? lastRoundTrip ?? configuration.link.rtt
    }

    mutating func take(_ sample: PathSample, of index: Int) {
        if sample.deliveryRate.bitsPerSecond > 0 { lanes[index].heardAt = now }
        guard configuration.followsPath else { return }
        measured.bytes += lanes[index].path.take(sample, at: now)
        measured.take(sample)
        detector?.take(sample)
    }

    /// The lane's share of the window (`window / streams`), at least two chunks, and no more than the
    /// lane can be expected to need: a slow lane does not collect what faster ones could carry.
    func laneLimit(_ index: Int) -> Int {
        let share = max(2 * chunkSize, configuration.window / max(1, target.streams))
        let trip = max((lanes[index].path.roundTrip ?? typicalRoundTrip).seconds, 0.001)
        let least = trip * BulkSender.depth.lowerBound
        let most = trip * BulkSender.depth.upperBound
        let time = min(most, max(least, windowTime.seconds * BulkSender.queuedPart))
        // A fresh lane is not measured yet: what it could hold may be what it needs half a minute for.
        let need = lanes[index].path.bytesPerSecond.map { $0 * time } ?? typicalRate * least
        return min(share, max(2 * chunkSize, Int(min(need, 1e15)) + chunkSize))
    }

    /// Round trips of its rate that a lane may hold. Two let the congestion window double in each of them; four
    /// also let a lane go on whose losses were taken for a lower rate.
    private static let depth = 2.0...4.0
    /// The part of the window's time that may lie on a lane. All lanes wait for the slowest chunk once the window is
    /// full, and one that meets losses takes twice as long as expected.
    private static let queuedPart = 0.25

    /// Bytes a second of all open lanes together, as far as they are measured.
    var measuredRate: Double {
        lanes.reduce(0) { $0 + ($1.state == .open ? $1.path.bytesPerSecond ?? 0 : 0) }
    }

    /// Bytes a second that may be expected of a lane not measured yet: what the others have, or its part of
    /// what the configuration says.
    private var typicalRate: Double {
        let known = lanes.count { $0.state == .open && $0.path.bytesPerSecond != nil }
        if known > 0 { return measuredRate / Double(known) }
        return Double(configuration.link.rate.bitsPerSecond) / 8 / Double(max(1, target.streams))
    }

    /// Notes how long all lanes together need for what may be sent ahead of a chunk that is missing.
    private mutating func measureWindow() {
        let rate = measuredRate
        guard rate > 0 else { return }
        let bytes = min(configuration.window, Int(SequenceWindow<OutgoingChunk>.limit) * chunkSize)
        windowTime = Interval(seconds: min(1e6, Double(bytes) / rate))
    }

    /// When a chunk put on the lane now would be acknowledged, from now on.
    func expectedTime(of size: Int, on index: Int) -> Interval {
        let bytes = Double(lanes[index].outstanding + size)
        let rate = max(1, lanes[index].path.bytesPerSecond ?? typicalRate)
        let roundTrip = lanes[index].path.roundTrip ?? typicalRoundTrip
        return roundTrip + .microseconds(Int64(min(1e12, bytes / rate * 1e6)))
    }

    mutating func startWatch(into actions: inout Actions<BulkSender>) {
        guard !isWatching, !isOver else { return }
        isWatching = true
        watchDue = now + watchPeriod
        actions.setTimer(.watch, at: watchDue)
    }

    /// Looks after everything that no input tells of.
    mutating func watch(into actions: inout Actions<BulkSender>) {
        guard !isOver else { return }
        if now - watchDue > .seconds(2) || now < watchDue - .seconds(2) { forgetTimes() }
        checkProgress(into: &actions)
        checkLanes(into: &actions)
        guard !isOver else { return }
        settleRetirements(into: &actions)
        collectLate()
        measureWindow()
        judgeMode(into: &actions)
        endEpoch(into: &actions)
        reconcile(into: &actions)
        pump(into: &actions)
        if openStreams > 0 { startWatch(into: &actions) }
    }

    /// The clock has jumped, or this machine has stood still: nobody was silent meanwhile.
    private mutating func forgetTimes() {
        progressAt = now
        for index in lanes.indices {
            lanes[index].heardAt = now
            lanes[index].probedAt = nil
            lanes[index].finishedAt = now
        }
        measured.restart(at: now)
    }

    // MARK: The tuner

    private mutating func endEpoch(into actions: inout Actions<BulkSender>) {
        guard tuner != nil, phase == .transferring else { return }
        if nextUnsent == nextChunk, again.isEmpty, room > configuration.sendBuffer / 2 {
            measured.isStarved = true
        }
        guard let roundTrip = measured.roundTrip ?? lastRoundTrip else { return }
        if !measured.hasBegun {
            // The first streams begin from nothing, and all together.
            let patience = roundTrip * (lastRoundTrip == nil ? 10 : 5)
            guard now - measured.start >= max(.milliseconds(150), patience), hasSettled else {
                return
            }
            measured.restart(at: now)
            measured.hasBegun = true
            return
        }
        let elapsed = now - measured.start
        let least = target.congestion == .bbr ? probingCycle : roundTrip * 6
        guard elapsed >= max(.milliseconds(400), least), measured.samples > 0 else { return }
        let bits = max(0, measured.bytes) * 8 / elapsed.seconds
        let observation = StreamTuner.Observation(
            rate: BitRate(bitsPerSecond: Int64(bits)),
            loss: Ratio(min(1, measured.loss / Double(measured.samples))),
            roundTrip: roundTrip,
            smallestRoundTrip: measured.smallestRoundTrip,
            isStarved: measured.isStarved
        )
        lastRoundTrip = roundTrip
        let hasChanged = tuner!.observe(observation, at: now)
        target = tuner!.setting
        if hasChanged { actions.emit(.tuned(target)) }
        adaptChunkSize(bits / 8, roundTrip)
        measured.restart(at: now)
        measured.hasBegun = !hasChanged
    }

    /// The time in which BBR shows all it does. It drains the path every ten seconds to measure its
    /// round trip; where that takes a noticeable share of them, a whole cycle.
    private var probingCycle: Interval {
        min(.milliseconds(10_500), max(typicalRoundTrip * 6, typicalRoundTrip * 100))
    }

    /// Whether the streams are those of the setting, as far as they can be had.
    private var hasSettled: Bool {
        !isGathering
            && lanes.allSatisfy { lane in
                switch lane.state {
                case .open: !lane.isRetiring && lane.congestion == target.congestion
                case .opening: false
                case .closed, .leaving, .waiting: true
                }
            }
    }

    private mutating func adaptChunkSize(_ bytesPerSecond: Double, _ roundTrip: Interval) {
        guard configuration.tunesChunks else { return }
        let flight = Int(min(1e12, bytesPerSecond * roundTrip.seconds))
        let size = configuration.chunkSize(
            of: flight,
            streams: target.streams
        )
        // Small corrections are not worth a change.
        if size > chunkSize * 3 / 2 || size < chunkSize * 2 / 3 { chunkSize = size }
    }

    // MARK: Streams as the setting wants them

    /// Opens lanes that are missing, and lets those go that are too many or of another control.
    mutating func reconcile(into actions: inout Actions<BulkSender>) {
        guard tuner != nil, phase == .transferring else { return }
        let serving = lanes.indices.filter { lanes[$0].isServing }
        let current = serving.filter { lanes[$0].congestion == target.congestion }
        let stale = serving.filter { lanes[$0].congestion != target.congestion }
        let lost = lanes.count { $0.isGivenUp }
        let wanted = max(1, target.streams - lost)
        let inUse = lanes.count { $0.state != .closed }
        let free = TransportConfiguration.streamLimit - inUse
        // Half of a session's numbers are kept for streams that are lost.
        let numbers = SessionID.streamLimit / 2 - laneOfOrdinal.count
        openSome(of: min(wanted - current.count, min(free, numbers)), into: &actions)
        let open = current.count { lanes[$0].state == .open }
        if open >= min(wanted, max(1, free)) {
            for index in stale { retire(index, into: &actions) }
        } else if free == 0 {
            // Every place is taken by streams that are to go: half of them make room.
            for index in stale.prefix((stale.count + 1) / 2) { retire(index, into: &actions) }
        }
        guard current.count > wanted else { return }
        let slowestFirst = current.sorted { left, right in
            let (one, other) = (rate(of: left), rate(of: right))
            return one == other ? left > right : one < other
        }
        for index in slowestFirst.prefix(current.count - wanted) {
            retire(index, into: &actions)
        }
    }

    /// Opens missing lanes, a sixteenth of all in half a round trip: many at once would overflow the
    /// path together, in slow start, and cost all streams their windows.
    private mutating func openSome(of missing: Int, into actions: inout Actions<BulkSender>) {
        isGathering = missing > 0
        guard missing > 0, now >= gatherAt else { return }
        gatherAt = now + typicalRoundTrip / 2
        for _ in 0..<min(missing, max(1, target.streams / 16)) { openFresh(into: &actions) }
    }

    private func rate(of index: Int) -> Double {
        lanes[index].state == .open ? lanes[index].path.bytesPerSecond ?? 0 : -1
    }

    private mutating func openFresh(into actions: inout Actions<BulkSender>) {
        let fresh = SenderLane(session: session, congestion: target.congestion)
        let slot = lanes.firstIndex { $0.state == .closed && !$0.isGivenUp } ?? lanes.count
        if slot == lanes.count {
            guard lanes.count < TransportConfiguration.streamLimit else { return }
            lanes.append(fresh)
        } else {
            lanes[slot] = fresh
        }
        open(slot, into: &actions)
    }

    private mutating func retire(_ index: Int, into actions: inout Actions<BulkSender>) {
        switch lanes[index].state {
        case .open:
            lanes[index].isRetiring = true
            settleRetirement(of: index, into: &actions)
        case .opening:
            actions.reset(lanes[index].stream)
            lanes[index].close()
        case .waiting:
            actions.cancelTimer(.reopen(slot: index))
            lanes[index].close()
        case .leaving, .closed: break
        }
    }

    /// Says farewell and finishes the stream of a retiring lane that carries nothing any more.
    mutating func settleRetirement(of index: Int, into actions: inout Actions<BulkSender>) {
        guard lanes[index].isRetiring, lanes[index].state == .open, lanes[index].carried.isEmpty,
            !notes.isCarried(by: index), !isOver
        else { return }
        if !lanes[index].hasSaidFarewell {
            lanes[index].hasSaidFarewell = true
            var farewell = FrameHeader(.farewell, session: session)
            farewell.seal()
            lanes[index].backlog.append(farewell.bytes)
            flush(index, into: &actions)
        }
        guard lanes[index].backlog.isEmpty else { return }
        lanes[index].state = .leaving
        lanes[index].finishedAt = now
        actions.finish(lanes[index].stream)
    }

    /// The peer has closed its side of a stream that we had finished.
    mutating func left(_ index: Int, into actions: inout Actions<BulkSender>) {
        lanes[index].close()
        guard !isOver else {
            noteClosed(into: &actions)
            return
        }
        reconcile(into: &actions)
    }

    /// Lets retiring lanes go that have nothing left to carry since a copy or a note left them, and ends those whose
    /// peer does not close its side.
    mutating func settleRetirements(into actions: inout Actions<BulkSender>) {
        for index in lanes.indices {
            switch lanes[index].state {
            case .open: settleRetirement(of: index, into: &actions)
            case .leaving:
                guard now - lanes[index].finishedAt >= configuration.stallLimit else { continue }
                actions.reset(lanes[index].stream)
                left(index, into: &actions)
            case .closed, .opening, .waiting: break
            }
        }
    }
}
