import Machines
import Measurements
import Scenarios
import Statistics
import Transport
import Units

/// What one transfer has brought.
struct BulkTally: Sendable {
    let plan: BulkTransferPlan

    /// The run is cut into this many parts; the warm-up ends at the border of one.
    static let parts = 200
    /// Bytes of whole chunks by when they came: what waits for an older one then is delivered later, a window of
    /// them at once.
    private var received = [Int](repeating: 0, count: BulkTally.parts)
    private var total = 0
    private(set) var chunks: UInt64 = 0
    private var streamsLost = 0
    /// What the transport chose on its way, oldest first.
    private var tunings: [(streams: Int, congestion: CongestionControl, time: Instant)] = []
    /// The modes that the sender came to on its way, oldest first.
    private(set) var modes: [(mode: PathMode, time: Instant)] = []
    /// Bytes that streams brought, by part.
    private(set) var arrived = [Int](repeating: 0, count: BulkTally.parts)
    /// Round-trip times in milliseconds, by part.
    private(set) var roundTrips = [LogHistogram](repeating: LogHistogram(), count: BulkTally.parts)
    private(set) var violations: [Violation] = []

    init(_ plan: BulkTransferPlan) { self.plan = plan }

    /// How long the transfer is watched, and between which times.
    var length: Interval { plan.transfer.duration.horizon }
    private var begin: Instant { .zero + plan.transfer.start }
    var end: Instant { .zero + plan.transfer.horizon }

    mutating func observe(_ event: BulkNode.Event, at time: Instant) {
        switch event {
        case .delivered(let numbers, let bytes):
            total += bytes
            chunks += UInt64(numbers.count)
        case .different(let chunk):
            let message = "chunk \(chunk) arrived with other bytes than were sent"
            violations.append(Violation(time: time, message: message))
        case .streamLost:
            streamsLost += 1
        case .tuned(let streams, let congestion):
            tunings.append((streams, congestion, time))
        case .modeChanged(_, let mode):
            modes.append((mode, time))
        case .arrived(let bytes, let whole):
            guard let part = part(of: time) else { return }
            arrived[part] += bytes
            received[part] += whole
        case .held(let count, let different):
            chunks += UInt64(count)
            guard let different else { return }
            let message = "chunk \(different), not delivered yet, has other bytes than were sent"
            violations.append(Violation(time: time, message: message))
        case .roundTrips(let intervals):
            guard let part = part(of: time) else { return }
            for interval in intervals { roundTrips[part].record(interval.milliseconds) }
        case .failed, .shared: break
        }
    }

    /// `nil` outside the transfer's own time: another one may be watched for longer.
    private func part(of time: Instant) -> Int? {
        guard time >= begin, time <= end else { return nil }
        let passed = (time - begin).nanoseconds
        let part = passed * Int64(BulkTally.parts) / max(1, length.nanoseconds)
        return min(BulkTally.parts - 1, Int(part))
    }

    func addFacts(to record: inout RunRecord, isLabelled: Bool) {
        let suffix = plan.suffix(isLabelled: isLabelled)
        record.facts += [
            Fact("streams\(suffix)", "\(plan.configuration.streams)"),
            Fact("tuned\(suffix)", summaryOfTunings),
            Fact("streams lost\(suffix)", "\(streamsLost)"),
            Fact("chunks\(suffix)", "\(chunks), each compared; \(total) B delivered"),
        ]
    }

    /// The first and the last steps.
    private var summaryOfTunings: String {
        let all = tunings.map { "\($0.streams) \($0.congestion.rawValue) at \($0.time)" }
        guard all.count > 8 else {
            return all.isEmpty ? "not at all" : all.joined(separator: ", ")
        }
        let (first, last) = (all.prefix(4), all.suffix(4))
        return (first + ["\(all.count - 8) more"] + last).joined(separator: ", ")
    }

    func measure(_ ending: ReplicationEnding, into record: inout RunRecord, isLabelled: Bool) {
        let labels = plan.labels(isLabelled: isLabelled)
        let suffix = plan.suffix(isLabelled: isLabelled)
        record.series.append(goodputSeries(labels))
        record.series += streamsSeries(labels).map { [$0] } ?? []
        measureMode(into: &record, labels, suffix)
        guard record.outcome == .completed, let window else {
            record.facts.append(
                Fact(
                    "warm-up\(suffix)",
                    "refused: the best cut would drop more than half of the run"
                )
            )
            return
        }
        measureSteadyPart(window, ending, into: &record, labels, suffix)
    }

    private var partWidth: Interval { length / Int64(BulkTally.parts) }

    private func goodputSeries(_ labels: [Label]) -> Series {
        Series(
            name: "goodput",
            unit: "bit/s",
            labels: labels,
            kind: .rate,
            start: begin,
            width: partWidth,
            values: received.map { Double($0) * 8 / partWidth.seconds }
        )
    }

    /// How many streams the transport wanted over time; `nil` where the number is fixed.
    private func streamsSeries(_ labels: [Label]) -> Series? {
        guard !tunings.isEmpty else { return nil }
        var recorder = SeriesRecorder(
            name: "streams",
            unit: "streams",
            labels: labels,
            kind: .level,
            start: begin,
            width: partWidth
        )
        recorder.set(Double(plan.configuration.streams), at: begin)
        for tuning in tunings where tuning.time >= begin && tuning.time <= end {
            recorder.set(Double(tuning.streams), at: tuning.time)
        }
        return recorder.finished(at: end)
    }

    /// The parts that belong to the warm-up; `nil` when no steady part was found.
    private var warmUp: Int? {
        switch plan.transfer.duration.warmUp {
        case .fixed(let interval):
            return min(
                BulkTally.parts - 1,
                Int((interval.nanoseconds + partWidth.nanoseconds - 1) / partWidth.nanoseconds)
            )
        case .automatic:
            switch WarmUp.cut(received.map(Double.init)) {
            case .after(let parts): return parts
            case .refused: return nil
            }
        }
    }

    /// The part of the transfer that is measured; `nil` when no steady part was found.
    var window: BulkWindow? {
        warmUp.map { cut in
            BulkWindow(
                cut: cut,
                start: begin + partWidth * Int64(cut),
                seconds: partWidth.seconds * Double(BulkTally.parts - cut)
            )
        }
    }

    func bytes(in window: BulkWindow) -> Int { received[window.cut...].reduce(0, +) }

    private func measureSteadyPart(
        _ window: BulkWindow,
        _ ending: ReplicationEnding,
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        let bytes = bytes(in: window)
        record.metrics += ending.processorCosts(
            of: Int64(bytes),
            plan.ends,
            from: window.start,
            to: end,
            labels: labels
        )
        // What a sender of several uses is not of one of them.
        .filter { !plan.sharesSender || $0.metric != "cpu-per-gb" }
        let free = FreeRate(of: plan, in: window, ending)
        let held = free.held(by: [self], in: window)
        let limit = free.rate * plan.link.payloadShare.value + held
        record.metrics.append(
            MetricValue(
                "goodput",
                Double(bytes) * 8 / window.seconds,
                labels: labels,
                bound: goodputBound(link: limit, held: held, window, ending)
            )
        )
        record.markers.append(
            Marker(
                time: window.start,
                kind: "warmup.end",
                text: labels.contains { $0.key == "link" }
                    ? plan.transfer.name ?? plan.linkName : ""
            )
        )
        record.facts.append(
            Fact("warm-up\(suffix)", "\(partWidth * Int64(window.cut)) of \(length) cut")
        )
        measurePath(in: window, ending, limit: limit, into: &record, labels)
        // Of a link that several take, both are told once.
        guard !plan.sharesLink else { return }
        measureHarm(in: window, ending, into: &record, labels, suffix)
        let use = LinkUse(plan: plan, window: window, bytes: bytes, free: free, held: held)
        use.measure(ending, into: &record, labels, suffix)
    }

    /// The link's rate, or less where the transfer's share says so.
    private func goodputBound(
        link limit: Double,
        held: Double,
        _ window: BulkWindow,
        _ ending: ReplicationEnding
    ) -> PhysicalBound? {
        // The transport lets an eighth of a second through at once, and a chunk more; as much may have come
        // without having been told when the window began.
        let chunks = Double(2 * max(1 << 16, plan.configuration.chunkSize)) * 8 / window.seconds
        let most = plan.share.most.map {
            Double($0.bitsPerSecond) * (1 + 0.125 / window.seconds) + chunks + held
        }
        if let most, most < limit {
            let derivation =
                "the most of its share, an eighth of a second of it and a chunk at once, and what was "
                + "under way when the window began"
            // Also where no link is there: the transfer limits itself.
            return PhysicalBound(.upper, most, derivation: derivation)
        }
        return ending.bound(
            .upper,
            limit,
            derivation:
                "free rate × \(plan.link.payloadShare.text), and what was under way when the window "
                + "began"
        )
    }
}

/// The part of a transfer that is measured.
struct BulkWindow: Hashable, Sendable {
    /// The parts of the transfer that come before it.
    let cut: Int
    let start: Instant
    let seconds: Double

    var end: Instant { start + Interval(seconds: seconds) }
}
