import Machines
import Units

extension TCPEndpoint {
    /// Moves through the recovery states (`tcp_fastretrans_alert`); `true` when lost segments may
    /// be sent again.
    mutating func react(
        to news: inout AcknowledgementNews,
        echo: UInt32,
        at now: Instant,
        into effects: inout EndpointEffects
    ) -> Bool {
        let isEarlier = isEcho(echo, before: firstRetransmission)
        leaveFinishedStates(news, sawOriginal: isEarlier)
        switch recovery {
        case .recovery:
            // While a retransmission is on its way nothing says yet that it was needless.
            if news.advanced, canUndo, isEarlier, board.retransmittedOut == 0 {
                board.clearLost()
                undoReduction()
            }
            findLosses(&news, at: now, into: &effects)
            return true
        case .loss:
            if news.advanced, canUndo, isEarlier {
                board.clearLost()
                undoReduction()
                recovery = .open
            }
            findLosses(&news, at: now, into: &effects)
            guard recovery == .open || news.lostRetransmission else { return true }
        case .open, .disorder, .reduced:
            findLosses(&news, at: now, into: &effects)
        }
        guard board.lostOut > 0 else {
            if news.echoesCongestion, recovery != .reduced { reduceForMark() }
            if recovery != .reduced { recovery = board.sackedOut > 0 ? .disorder : .open }
            return false
        }
        enterRecovery()
        return true
    }

    /// Recovery and loss end once everything sent before them is acknowledged.
    private mutating func leaveFinishedStates(_ news: AcknowledgementNews, sawOriginal: Bool) {
        switch recovery {
        case .open:
            firstRetransmission = 0
        case .disorder:
            break
        case .reduced:
            // Held until what announced the reduction is acknowledged.
            guard una > recoveryPoint else { return }
            if !measuresDelivery { congestion.window = congestion.threshold }
            recovery = .open
        case .recovery:
            guard una >= recoveryPoint else { return }
            if canUndo, sawOriginal, news.advanced {
                undoReduction()
            } else if !measuresDelivery {
                congestion.window = congestion.threshold
            }
            recovery = .open
            canUndo = false
            forgetRetransmissionsIfAnswered()
        case .loss:
            guard una >= recoveryPoint else { return }
            if canUndo, sawOriginal, news.advanced { undoReduction() }
            recovery = .open
            canUndo = false
            forgetRetransmissionsIfAnswered()
        }
    }

    /// Eifel (RFC 3522): the acknowledgement was caused by a segment sent before anything was sent
    /// again, so nothing had to be.
    private func isEcho(_ echo: UInt32, before reference: UInt32) -> Bool {
        reference != 0 && echo != 0 && Int32(bitPattern: echo &- reference) < 0
    }

    private mutating func undoReduction() {
        bbr?.undo(delivery, lost: board.lostInAll)
        if measuresDelivery {
            canUndo = false
            if recovery == .recovery { recovery = board.sackedOut > 0 ? .disorder : .open }
            return
        }
        congestion.window = max(congestion.window, undoWindow)
        congestion.threshold = max(congestion.threshold, undoThreshold)
        canUndo = false
        if recovery == .recovery { recovery = board.sackedOut > 0 ? .disorder : .open }
    }

    private mutating func rememberForUndo() {
        canUndo = true
        undoWindow = congestion.window
        undoThreshold = congestion.threshold
        forgetRetransmissionsIfAnswered()
    }

    /// Retransmissions of the episode before may still be answered, also in this one: then its clock
    /// goes on, or their answers would seem to be those of originals (`tcp_retrans_stamp_cleanup`).
    private mutating func forgetRetransmissionsIfAnswered() {
        let isHeadRepeated = !board.isEmpty && board.first.flags.contains(.everRetransmitted)
        if board.retransmittedOut == 0, !isHeadRepeated { firstRetransmission = 0 }
    }

    /// Begins proportional rate reduction (RFC 6937).
    private mutating func enterRecovery() {
        if recovery == .reduced {
            // The window is already on its way down, once for marks and losses.
            forgetRetransmissionsIfAnswered()
        } else {
            // After a time-out whose retransmissions were lost the episode goes on.
            if recovery != .loss { rememberForUndo() }
            beginReduction()
        }
        recovery = .recovery
        statistics.recoveries += 1
    }

    /// A queue was congested: one reduction a round trip, as for a loss but with nothing to send
    /// again (`tcp_enter_cwr`). BBR takes note and goes on.
    private mutating func reduceForMark() {
        canUndo = false
        beginReduction()
        recovery = .reduced
        statistics.congestionMarks += 1
    }

    private mutating func beginReduction() {
        announcesReduction = true
        recoveryPoint = next
        tailProbeEnd = -1
        congestion.beginReduction()
        windowBeforeReduction = congestion.window
        reductionDelivered = 0
        reductionSent = 0
        bbr?.save(window: congestion.window)
        congestion.threshold = congestion.thresholdAfterLoss()
    }

    /// RACK (RFC 8985, section 6.2).
    private mutating func findLosses(
        _ news: inout AcknowledgementNews,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        guard rackAdvanced else { return }
        rackAdvanced = false
        let detection = detectLosses(at: now)
        news.lost += detection.marked
        news.lostRetransmission = news.lostRetransmission || detection.lostRetransmission
        if detection.remaining > .zero {
            news.armedReordering = true
            setTimer(
                .reordering,
                after: detection.remaining + .milliseconds(2),
                at: now,
                into: &effects
            )
        }
    }

    private mutating func detectLosses(at now: Instant) -> Scoreboard.Detection {
        board.detectLosses(
            sentBefore: rackSerial,
            patience: rackRoundTrip + reorderingWindow,
            at: now
        )
    }

    /// How long a segment may be overtaken before it counts as lost: nothing while no reordering
    /// was seen and three segments or a recovery speak for a loss, else a quarter of the smallest
    /// round trip.
    private var reorderingWindow: Interval {
        if !reorderingSeen {
            if recovery == .recovery || recovery == .loss { return .zero }
            if board.sackedOut >= 3 { return .zero }
        }
        return min(roundTrip.smallestOrZero / 4, roundTrip.smoothed)
    }

    /// What becomes of the tail probe (RFC 8985, section 7.4).
    mutating func processTailProbe(_ upTo: Int64, _ news: AcknowledgementNews, at now: Instant) {
        guard tailProbeEnd >= 0, upTo >= tailProbeEnd else { return }
        if !tailProbeWasRetransmission {
            tailProbeEnd = -1
        } else if upTo > tailProbeEnd {
            // The probe repaired a loss that nothing else told of: one reduction.
            beginReduction()
            if !measuresDelivery { congestion.window = congestion.threshold }
        } else if !news.advanced, !news.sackedSomething {
            // Both copies arrived.
            tailProbeEnd = -1
        }
    }

    /// Window growth, or reduction in proportion to what is delivered (`tcp_cong_control`).
    mutating func adjustWindow(_ news: AcknowledgementNews, at now: Instant) {
        if isInReduction {
            reduceWindow(news)
        } else if news.advanced, usesItsWindow {
            congestion.raise(
                by: news.delivered,
                smallestRoundTrip: roundTrip.smallestOrZero,
                at: now
            )
        }
    }

    private mutating func reduceWindow(_ news: AcknowledgementNews) {
        guard news.delivered > 0, windowBeforeReduction > 0 else { return }
        let inFlight = board.inFlight
        let target = congestion.threshold
        reductionDelivered += news.delivered
        var allowance: Int
        if inFlight > target {
            let share = target * reductionDelivered + windowBeforeReduction - 1
            allowance = share / windowBeforeReduction - reductionSent
        } else {
            allowance = max(reductionDelivered - reductionSent, news.delivered)
            if news.advanced, news.lost == 0 { allowance += 1 }
            allowance = min(target - inFlight, allowance)
        }
        // The first retransmission leaves at once.
        allowance = max(allowance, reductionSent == 0 ? 1 : 0)
        congestion.window = inFlight + allowance
    }

    // MARK: - Timers

    /// The retransmission timer came due.
    mutating func fireTimer(at now: Instant, into effects: inout EndpointEffects) {
        if now - progress >= parameters.patience {
            let wasOpen = phase != .synReceived
            end(into: &effects)
            if wasOpen { effects.resetReason = .timedOut }
            return
        }
        switch timerPurpose {
        case .handshake:
            backoff += 1
            sendControl([.syn], at: now, into: &effects)
            setTimer(.handshake, after: handshakeTimeout, at: now, into: &effects)
        case .timeout:
            timeOut(at: now, into: &effects)
        case .tailProbe:
            probeTail(at: now, into: &effects)
        case .reordering:
            expireSuspects(at: now, into: &effects)
        case .windowProbe:
            probeWindow(at: now, into: &effects)
        }
    }

    private var handshakeTimeout: Interval {
        min(parameters.initialTimeout * (1 << Int64(min(backoff, 10))), parameters.largestTimeout)
    }

    /// RFC 6298, section 5, with Linux's marking: everything not reported as received is lost.
    private mutating func timeOut(at now: Instant, into effects: inout EndpointEffects) {
        guard !board.isEmpty else { return }
        statistics.timeouts += 1
        board.markLostAfterTimeout(patience: rackRoundTrip, at: now)
        let goesOn = isInReduction || (recovery == .loss && backoff > 0)
        if !goesOn || una >= recoveryPoint {
            rememberForUndo()
            bbr?.save(window: congestion.window)
            congestion.threshold = congestion.thresholdAfterLoss()
        }
        congestion.forgetAfterTimeout()
        congestion.window = board.inFlight + 1
        recovery = .loss
        announcesReduction = true
        bbr?.enterLoss(delivery, lost: board.lostInAll)
        recoveryPoint = next
        tailProbeEnd = -1
        retransmit(board.firstNumber, at: now, into: &effects)
        backoff += 1
        setTimer(.timeout, after: retransmissionTimeout, at: now, into: &effects)
    }

    /// Tail loss probe: new data if there is any, else the last segment again.
    private mutating func probeTail(at now: Instant, into effects: inout EndpointEffects) {
        guard !board.isEmpty else { return }
        var wasSent = false
        if tailProbeEnd < 0 {
            let packetsBefore = board.packetsOut
            let length = min(Int64(parameters.maximumSegment), written - next)
            if next < streamEnd, next + length <= peerLimit {
                // One segment beyond the window.
                let window = congestion.window
                congestion.window = board.inFlight + 1
                sendPending(at: now, into: &effects)
                congestion.window = window
            }
            if board.packetsOut > packetsBefore {
                tailProbeWasRetransmission = false
                wasSent = true
            } else if (next == streamEnd || next + length > peerLimit)
                && !board[board.lastNumber].flags.contains(.sacked)
            {
                retransmit(board.lastNumber, at: now, into: &effects)
                tailProbeWasRetransmission = true
                wasSent = true
            }
        }
        if wasSent { tailProbeEnd = next }
        // After a probe the time-out starts anew; without one the time already waited counts.
        rearmTimeout(countingElapsed: !wasSent, at: now, into: &effects)
    }

    /// Suspects were given their time: now they are lost.
    private mutating func expireSuspects(at now: Instant, into effects: inout EndpointEffects) {
        let before = board.inFlight
        let detection = detectLosses(at: now)
        if board.inFlight != before {
            if recovery != .recovery {
                enterRecovery()
                if !measuresDelivery {
                    var news = AcknowledgementNews()
                    news.delivered = 1
                    news.lost = detection.marked
                    reduceWindow(news)
                }
            }
            retransmitLost(at: now, into: &effects)
        }
        if !timer.isSet { rearmTimeout(countingElapsed: true, at: now, into: &effects) }
        sendPending(at: now, into: &effects)
    }

    mutating func setKeepAlive(_ deadline: Instant?, into effects: inout EndpointEffects) {
        guard let deadline else { return }
        if keepAliveTimer.set(deadline) { effects.keepAliveWake = deadline }
    }

    /// Perhaps nothing was heard for long: ask, and give up in the end. While something is
    /// unacknowledged the retransmission timer does both.
    mutating func fireKeepAlive(at now: Instant, into effects: inout EndpointEffects) {
        guard let limit = parameters.keepAlive else { return }
        let quiet = now - lastHeard
        if quiet < limit {
            setKeepAlive(lastHeard + limit, into: &effects)
            return
        }
        let end = lastHeard + limit + parameters.patience
        if now >= end {
            self.end(into: &effects)
            effects.resetReason = .timedOut
            return
        }
        if board.isEmpty { sendControl([.probe], at: now, into: &effects) }
        setKeepAlive(min(now + .seconds(10), end), into: &effects)
    }

    /// The pace allows the next segment.
    mutating func firePacing(at now: Instant, into effects: inout EndpointEffects) {
        if recovery == .recovery || recovery == .loss { retransmitLost(at: now, into: &effects) }
        sendPending(at: now, into: &effects)
    }

    private mutating func probeWindow(at now: Instant, into effects: inout EndpointEffects) {
        guard next < streamEnd, peerLimit <= next else {
            sendPending(at: now, into: &effects)
            return
        }
        backoff += 1
        sendControl([.probe], at: now, into: &effects)
        setTimer(.windowProbe, after: retransmissionTimeout, at: now, into: &effects)
    }
}
