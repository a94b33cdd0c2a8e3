import Machines
import Units

extension TransportConfiguration {
    /// What the path is taken for until it is measured.
    public var startingMode: PathMode? {
        switch mode {
        case nil: nil
        case .fixed(let mode): mode
        case .automatic: PathModeDetector.mode(of: link)
        }
    }

    /// The streams to begin with.
    var startingSetting: StreamTuner.Setting {
        let plain = StreamTuner.Setting(streams: streams, congestion: congestionControl)
        guard let mode = startingMode else { return plain }
        return setting(in: mode, from: plain)
    }

    /// The streams that suit a mode. Without tuning their number stays, and their control where it
    /// may not be chosen.
    func setting(in mode: PathMode, from present: StreamTuner.Setting) -> StreamTuner.Setting {
        guard let tuning else { return present }
        var setting = present
        if tuning.choosesControl { setting.congestion = mode.habits.congestion }
        if setting.congestion == .bbr {
            setting.streams = tuning.fewStreams
        } else if let streams = mode.habits.streams {
            setting.streams = streams
        }
        setting.streams = min(
            tuning.streams.upperBound,
            max(tuning.streams.lowerBound, setting.streams)
        )
        return setting
    }

    /// The tuner's rules in a mode; `nil` for no tuning.
    func tuning(in mode: PathMode?) -> StreamTuner.Rules? {
        guard var rules = tuning, let mode else { return tuning }
        if !mode.habits.mayUseBBR { rules.choosesControl = false }
        return rules
    }
}

/// Following the kind of path.
extension BulkSender {
    var silenceLimit: Interval {
        let limit = configuration.silenceLimit
        return mode.map { min(limit, $0.habits.silenceLimit) } ?? limit
    }

    var keepAlive: Interval {
        let limit = configuration.keepAlive
        return mode.map { min(limit, $0.habits.keepAlive) } ?? limit
    }

    /// Less to send than the path would take, or not allowed to: no queue is of our making then.
    private var isLimited: Bool {
        (again.isEmpty && nextUnsent == nextChunk) || (rateLimit != nil && allowance < 0)
    }

    /// Asks the detector, and follows when it has changed its mind.
    mutating func judgeMode(into actions: inout Actions<BulkSender>) {
        let (isLimited, delivered) = (isLimited, statistics.payloadBytes)
        let left = detector?.judge(delivered: delivered, isLimited: isLimited, at: now)
        guard let left, let mode = detector?.mode else { return }
        self.mode = mode
        statistics.modeChanges += 1
        actions.emit(.modeChanged(from: left, to: mode))
        guard phase == .transferring, let rules = configuration.tuning(in: mode) else { return }
        // What was tried on another path says nothing about this one. The streams that are not
        // wanted any more carry their chunks to the end, as with every choice of the tuner.
        let fresh = StreamTuner(start: configuration.setting(in: mode, from: target), rules: rules)
        tuner = fresh
        lastRoundTrip = detector?.base
        measured.restart(at: now)
        guard fresh.setting != target else { return }
        target = fresh.setting
        actions.emit(.tuned(target))
    }
}
