import Determinism
package import Units

extension BBR {
    /// An acknowledgement arrived: updates the model, the pace, and the window (`bbr_main`).
    package mutating func update(
        _ sample: RateSample,
        _ tracker: inout DeliveryRate,
        _ path: Path,
        window: inout Int,
        threshold: inout Int,
        at now: Instant
    ) {
        updateBandwidth(sample, tracker, path)
        updateLumps(sample, tracker, window: window)
        updatePhase(sample, tracker, path, at: now)
        updatePipe(sample)
        checkDrain(tracker, path, threshold: &threshold, at: now)
        updateRoundTrip(sample, &tracker, path, window: &window, at: now)
        updateGains()
        setPace(gain: pacingGain, window: window, smoothedRoundTrip: path.smoothedRoundTrip)
        window = self.window(window, sample, path, delivered: tracker.delivered)
    }

    /// A time-out ends the round and begins loss recovery (`bbr_set_state`).
    package mutating func enterLoss(_ tracker: DeliveryRate, lost: Int64) {
        lastRecovery = .loss
        fullBandwidth = 0
        isRoundStart = true
        var sample = RateSample()
        sample.losses = 1
        samplePolicer(sample, tracker, lost: lost)
    }

    /// Sending starts again with nothing in flight (`bbr_cwnd_event_tx_start`).
    package mutating func resume(_ tracker: DeliveryRate, window: inout Int, at now: Instant) {
        guard tracker.isApplicationLimited else { return }
        isRestartingFromIdle = true
        epochStart = now
        epochDelivered = 0
        if mode == .probeBandwidth {
            setPace(gain: BBR.unit, window: window, smoothedRoundTrip: nil)
        } else if mode == .probeRoundTrip {
            leaveProbe(tracker, window: &window, at: now)
        }
    }

    // MARK: - Bandwidth

    private mutating func updateBandwidth(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        _ path: Path
    ) {
        isRoundStart = false
        guard sample.delivered >= 0, sample.interval > .zero else { return }
        if sample.priorDelivered >= nextRoundDelivered {
            nextRoundDelivered = tracker.delivered
            rounds += 1
            isRoundStart = true
            conservesPackets = false
        }
        samplePolicer(sample, tracker, lost: path.lost)
        let rate = sample.delivered * BBR.rateUnit / max(1, sample.interval.wholeMicroseconds)
        if !sample.isApplicationLimited || rate >= largestBandwidth {
            bandwidthFilter.add(rate, round: rounds, window: BBR.bandwidthWindow)
        }
    }

    private mutating func samplePolicer(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        lost: Int64
    ) {
        let isRound = isRoundStart
        let verdict = policer.take(
            sample,
            tracker,
            lost: lost,
            isRoundStart: isRound,
            isProbing: mode == .probeBandwidth,
            segment: segment
        )
        switch verdict {
        case .nothing: break
        case .policed: pacingGain = BBR.unit
        case .expired: enterProbeBandwidth(tracker)
        }
    }

    /// Estimates how much more is acknowledged at times than the rate explains
    /// (`bbr_update_ack_aggregation`).
    private mutating func updateLumps(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        window: Int
    ) {
        guard sample.newlyDelivered > 0, sample.delivered >= 0, sample.interval > .zero else {
            return
        }
        if isRoundStart {
            extraRounds = min(31, extraRounds + 1)
            if extraRounds >= 5 {
                extraRounds = 0
                extraIndex = 1 - extraIndex
                if extraIndex == 0 { extra.0 = 0 } else { extra.1 = 0 }
            }
        }
        let elapsed = (tracker.deliveredAt - epochStart).wholeMicroseconds
        var expected = bandwidth * elapsed / BBR.rateUnit
        if epochDelivered <= expected || epochDelivered + sample.newlyDelivered >= 1 << 20 {
            epochDelivered = 0
            epochStart = tracker.deliveredAt
            expected = 0
        }
        epochDelivered = min(0xf_ffff, epochDelivered + sample.newlyDelivered)
        let excess = min(epochDelivered - expected, window)
        if extraIndex == 0 {
            extra.0 = max(extra.0, excess)
        } else {
            extra.1 = max(extra.1, excess)
        }
    }

    // MARK: - Modes

    private mutating func updatePhase(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        _ path: Path,
        at now: Instant
    ) {
        if mode == .probeBandwidth, isPhaseOver(sample, tracker, path, at: now) {
            advancePhase(tracker)
        }
    }

    private func isPhaseOver(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        _ path: Path,
        at now: Instant
    ) -> Bool {
        let isFull = smallestRoundTrip.map { tracker.deliveredAt - phaseStart > $0 } ?? false
        if pacingGain == BBR.unit { return isFull }
        let inFlight = inNetwork(
            sample.priorInFlight,
            nextDeparture: path.nextDeparture,
            at: now
        )
        if pacingGain > BBR.unit {
            return isFull && (sample.losses > 0 || inFlight >= inFlightTarget(gain: pacingGain))
        }
        return isFull || inFlight <= inFlightTarget(gain: BBR.unit)
    }

    private mutating func advancePhase(_ tracker: DeliveryRate) {
        phase = (phase + 1) & 7
        phaseStart = tracker.deliveredAt
    }

    /// Any phase but that of 3/4 may be the first.
    private mutating func enterProbeBandwidth(_ tracker: DeliveryRate) {
        mode = .probeBandwidth
        phase = 7 - Int(random.below(7))
        advancePhase(tracker)
    }

    /// The pipe is full when the rate has not grown by a quarter for three rounds.
    private mutating func updatePipe(_ sample: RateSample) {
        if isPipeFull || !isRoundStart || sample.isApplicationLimited { return }
        if largestBandwidth >= fullBandwidth * 5 / 4 {
            fullBandwidth = largestBandwidth
            fullBandwidthRounds = 0
            return
        }
        fullBandwidthRounds += 1
        isPipeFull = fullBandwidthRounds >= 3
    }

    private mutating func checkDrain(
        _ tracker: DeliveryRate,
        _ path: Path,
        threshold: inout Int,
        at now: Instant
    ) {
        if mode == .startup, isPipeFull {
            mode = .drain
            threshold = inFlightTarget(gain: BBR.unit)
        }
        guard mode == .drain else { return }
        let inFlight = inNetwork(path.inFlight, nextDeparture: path.nextDeparture, at: now)
        if inFlight <= inFlightTarget(gain: BBR.unit) { enterProbeBandwidth(tracker) }
    }

    private mutating func updateRoundTrip(
        _ sample: RateSample,
        _ tracker: inout DeliveryRate,
        _ path: Path,
        window: inout Int,
        at now: Instant
    ) {
        let isExpired = now > smallestRoundTripAt + BBR.roundTripWindow
        if let roundTrip = sample.roundTrip,
            smallestRoundTrip.map({ roundTrip < $0 }) ?? true || (isExpired && !sample.isDelayed)
        {
            smallestRoundTrip = roundTrip
            smallestRoundTripAt = now
        }
        if isExpired, !isRestartingFromIdle, mode != .probeRoundTrip {
            mode = .probeRoundTrip
            save(window: window)
            probeEnd = nil
        }
        if mode == .probeRoundTrip {
            // Low rates are no news about the path.
            tracker.limitByApplication(inFlight: path.inFlight)
            if probeEnd == nil, path.inFlight <= BBR.smallestWindow {
                probeEnd = now + BBR.probeDuration
                probeRoundDone = false
                nextRoundDelivered = tracker.delivered
            } else if probeEnd != nil {
                if isRoundStart { probeRoundDone = true }
                if probeRoundDone { leaveProbe(tracker, window: &window, at: now) }
            }
        }
        if sample.delivered > 0 { isRestartingFromIdle = false }
    }

    private mutating func leaveProbe(
        _ tracker: DeliveryRate,
        window: inout Int,
        at now: Instant
    ) {
        guard let probeEnd, now > probeEnd else { return }
        smallestRoundTripAt = now
        window = max(window, savedWindow)
        if isPipeFull { enterProbeBandwidth(tracker) } else { mode = .startup }
    }

    private mutating func updateGains() {
        switch mode {
        case .startup:
            pacingGain = BBR.highGain
            windowGain = BBR.highGain
        case .drain:
            pacingGain = BBR.drainGain
            windowGain = BBR.highGain
        case .probeBandwidth:
            pacingGain =
                policer.rate != nil
                ? BBR.unit
                : phase == 0 ? BBR.unit * 5 / 4 : phase == 1 ? BBR.unit * 3 / 4 : BBR.unit
            windowGain = BBR.windowGain
        case .probeRoundTrip:
            pacingGain = BBR.unit
            windowGain = BBR.unit
        }
    }
}

/// Recognises token-bucket policers: two intervals in a row with a fifth lost and nearly one rate
/// (`bbr_lt_bw_sampling`; Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM
/// 2016).
struct PolicerDetector {
    enum Verdict {
        case nothing
        /// The estimate is now the policed rate.
        case policed
        /// 48 rounds are over: probe again.
        case expired
    }

    private static let fewestRounds = 4
    private static let roundLimit = 48
    /// A share of losses of 50/256, rates within an eighth or 4 kbit/s.
    private static let lossShare = 50
    private static let rateDifference = 4000 / 8

    /// The rate to use, while a policer is believed in.
    var rate: Int? { isPoliced ? longTerm : nil }

    private var isPoliced = false
    private var longTerm = 0
    private var isSampling = false
    private var rounds = 0
    private var intervalStart = Instant.zero
    private var intervalDelivered: Int64 = 0
    private var intervalLost: Int64 = 0

    mutating func reset(_ tracker: DeliveryRate, lost: Int64) {
        longTerm = 0
        isPoliced = false
        isSampling = false
        begin(tracker, lost: lost)
    }

    private mutating func begin(_ tracker: DeliveryRate, lost: Int64) {
        intervalStart = tracker.deliveredAt
        intervalDelivered = tracker.delivered
        intervalLost = lost
        rounds = 0
    }

    mutating func take(
        _ sample: RateSample,
        _ tracker: DeliveryRate,
        lost: Int64,
        isRoundStart: Bool,
        isProbing: Bool,
        segment: Int
    ) -> Verdict {
        if isPoliced {
            guard isProbing, isRoundStart else { return .nothing }
            rounds += 1
            guard rounds >= PolicerDetector.roundLimit else { return .nothing }
            reset(tracker, lost: lost)
            return .expired
        }
        // The first loss shows that the bucket is empty.
        if !isSampling {
            guard sample.losses > 0 else { return .nothing }
            begin(tracker, lost: lost)
            isSampling = true
        }
        if sample.isApplicationLimited {
            reset(tracker, lost: lost)
            return .nothing
        }
        if isRoundStart { rounds += 1 }
        guard rounds >= PolicerDetector.fewestRounds else { return .nothing }
        if rounds > 4 * PolicerDetector.fewestRounds {
            reset(tracker, lost: lost)
            return .nothing
        }
        guard sample.losses > 0 else { return .nothing }
        return close(tracker, lost: lost, segment: segment)
    }

    private mutating func close(
        _ tracker: DeliveryRate,
        lost: Int64,
        segment: Int
    ) -> Verdict {
        let missing = Int(lost - intervalLost)
        let delivered = Int(tracker.delivered - intervalDelivered)
        guard delivered > 0, missing * BBR.unit >= PolicerDetector.lossShare * delivered else {
            return .nothing
        }
        let elapsed = (tracker.deliveredAt - intervalStart).wholeMicroseconds
        guard elapsed >= 1000 else { return .nothing }
        let measured = delivered * BBR.rateUnit / elapsed
        if longTerm > 0 {
            let difference = abs(measured - longTerm)
            let bytes = difference * segment * 1_000_000 / BBR.rateUnit
            if difference * 8 <= longTerm || bytes <= PolicerDetector.rateDifference {
                longTerm = (measured + longTerm) / 2
                isPoliced = true
                rounds = 0
                return .policed
            }
        }
        longTerm = measured
        begin(tracker, lost: lost)
        return .nothing
    }
}
