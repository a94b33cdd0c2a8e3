import LinkModel
import Machines
public import Measurements
import Scenarios
import Statistics
import Transport
public import Units

/// Turns the chunks that bulk receivers report into goodput and utilisation of the steady part of each
/// transfer. With several transfers every figure carries the label of its link.
public struct BulkObserver: ExperimentObserver {
    public typealias Program = BulkNode

    private var tallies: [BulkTally]
    private var failure: TransportError?

    init(_ transfers: [BulkTransferPlan]) {
        tallies = transfers.map(BulkTally.init)
    }

    /// A steady run lasts until its time is over, or nothing more can come.
    public var isFinished: Bool { failure != nil }

    public mutating func observe(_ event: BulkNode.Event, on node: NodeID, at time: Instant) {
        if case .failed(let error) = event { failure = failure ?? error }
        guard
            let index = tallies.firstIndex(where: {
                $0.plan.sender == node || $0.plan.receiver == node
            })
        else { return }
        tallies[index].observe(event, at: time)
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let violations = tallies.flatMap(\.violations)
        record.invariants.append(
            InvariantOutcome(
                name: Scenario.Invariant.transferIdentical.rawValue,
                checked: tallies.reduce(0) { $0 + $1.chunks } + UInt64(violations.count),
                violations: violations
            )
        )
        let isLabelled = tallies.count > 1
        for tally in tallies { tally.addFacts(to: &record, isLabelled: isLabelled) }
        if let failure {
            record.outcome = .failed(message: "the transfer failed: \(failure)")
            return
        }
        // The end of a steady run is its time limit; nothing was cut short.
        let horizon = tallies.map(\.plan.transfer.horizon).max() ?? .zero
        if ending.time >= .zero + horizon { record.outcome = .completed }
        for tally in tallies { tally.measure(ending, into: &record, isLabelled: isLabelled) }
    }
}

/// What one transfer has brought.
struct BulkTally: Sendable {
    let plan: BulkTransferPlan

    /// The run is cut into this many parts; the warm-up ends at the border of one.
    private static let parts = 200
    /// Bytes of whole chunks by when they came: what waits for an older one then is delivered later, a window of
    /// them at once.
    private var received = [Int](repeating: 0, count: BulkTally.parts)
    private var total = 0
    private(set) var chunks: UInt64 = 0
    private var streamsLost = 0
    /// What the transport chose on its way, oldest first.
    private var tunings: [(streams: Int, congestion: CongestionControl, time: Instant)] = []
    /// The modes that the sender came to on its way, oldest first.
    private var modes: [(mode: PathMode, time: Instant)] = []
    /// Bytes that streams brought, by part.
    private var arrived = [Int](repeating: 0, count: BulkTally.parts)
    /// Round-trip times in milliseconds, by part.
    private var roundTrips = [LogHistogram](repeating: LogHistogram(), count: BulkTally.parts)
    private(set) var violations: [Violation] = []

    init(_ plan: BulkTransferPlan) { self.plan = plan }

    /// How long the transfer is watched, and between which times.
    var length: Interval { plan.transfer.duration.horizon }
    private var begin: Instant { .zero + plan.transfer.start }
    private var end: Instant { .zero + plan.transfer.horizon }

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
        case .failed: break
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
        let suffix = suffix(isLabelled)
        record.facts += [
            Fact("streams\(suffix)", "\(plan.configuration.streams)"),
            Fact("tuned\(suffix)", summaryOfTunings),
            Fact("streams lost\(suffix)", "\(streamsLost)"),
            Fact("chunks\(suffix)", "\(chunks), each compared; \(total) B delivered"),
        ]
    }

    private func suffix(_ isLabelled: Bool) -> String { isLabelled ? ", \(plan.linkName)" : "" }

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
        let labels = isLabelled ? [Label("link", plan.linkName)] : []
        record.series.append(goodputSeries(labels))
        record.series += streamsSeries(labels).map { [$0] } ?? []
        measureMode(into: &record, labels, suffix(isLabelled))
        guard record.outcome == .completed, let cut = warmUp else {
            record.facts.append(
                Fact(
                    "warm-up\(suffix(isLabelled))",
                    "refused: the best cut would drop more than half of the run"
                )
            )
            return
        }
        measureSteadyPart(from: cut, ending, into: &record, labels, suffix(isLabelled))
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

    private func measureSteadyPart(
        from cut: Int,
        _ ending: ReplicationEnding,
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        let bytes = received[cut...].reduce(0, +)
        let seconds = partWidth.seconds * Double(BulkTally.parts - cut)
        let goodput = Double(bytes) * 8 / seconds
        let start = begin + partWidth * Int64(cut)
        record.metrics += ending.processorCosts(
            of: Int64(bytes),
            plan.ends,
            from: start,
            to: self.end,
            labels: labels
        )
        let end = start + Interval(seconds: seconds)
        let bits = ending.link(from: plan.transfer.from, to: plan.transfer.to)?.parameters
            .freeBits(from: start, to: end)
        let whole =
            bits.map { $0 / seconds }
            ?? Double(plan.link.rate.bitsPerSecond) * (1 - plan.link.background.value)
        let free = whole - taken(ending.cross, from: start, to: end)
        // What was under way when the measured part began may be delivered inside it.
        let blur = ending.cross.map { whole * $0.resolution.seconds } ?? 0
        let held = (Double(plan.configuration.window) * 8 + blur) / seconds
        let share = plan.link.payloadShare
        let limit = free * share.value + held
        let derivation =
            "free rate × \(share.text), and what was under way when the window began"
        record.metrics.append(
            MetricValue(
                "goodput",
                goodput,
                labels: labels,
                bound: ending.bound(.upper, limit, derivation: derivation)
            )
        )
        record.markers.append(
            Marker(time: start, kind: "warmup.end", text: labels.first?.value ?? "")
        )
        record.facts.append(
            Fact("warm-up\(suffix)", "\(partWidth * Int64(cut)) of \(length) cut")
        )
        measurePath(from: cut, ending, limit: limit, into: &record, labels)
        measureHarm(from: start, to: end, ending, into: &record, labels, suffix)
        // Without the scenario's link there is nothing to make use of.
        guard ending.isShaped, free > 0 else { return }
        // Fewer products say more about slow start than about the steady state.
        let products = Double(bytes) / (free / 8 * plan.roundTrip.seconds)
        let rounded = (products * 10).rounded() / 10
        record.facts.append(
            Fact("bandwidth-delay products\(suffix)", "\(rounded) in the window")
        )
        guard products >= 50 else { return }
        // Where the free rate varies, the window may begin with what a better time has sent.
        let isSteady = plan.link.source == .fixed && ending.cross == nil
        let carried = isSteady ? 0 : held / free
        record.metrics.append(
            MetricValue(
                "utilisation",
                100 * goodput / free,
                labels: labels,
                bound: PhysicalBound(
                    .upper,
                    100 * (1 + carried),
                    derivation: carried == 0
                        ? "the free rate of the link"
                        : "the free rate's integral, and what was under way when the window began"
                )
            )
        )
    }
}

extension BulkTally {
    /// Which mode the transfer was in; nothing where the scenario wants none.
    private func measureMode(
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        guard let start = plan.configuration.startingMode else { return }
        let later = modes.map { "\($0.mode.rawValue) at \($0.time)" }
        let shown = later.count > 8 ? later.prefix(8) + ["\(later.count - 8) more"] : later[...]
        record.facts.append(
            Fact("mode\(suffix)", ([start.rawValue] + shown).joined(separator: ", "))
        )
        record.metrics.append(
            MetricValue("mode-changes", Double(modes.count), labels: labels, bound: nil)
        )
    }

    /// What the streams did, apart from the order in which the transport delivers.
    private func measurePath(
        from cut: Int,
        _ ending: ReplicationEnding,
        limit: Double,
        into record: inout RunRecord,
        _ labels: [Label]
    ) {
        let bytes = arrived[cut...].reduce(0, +)
        let seconds = partWidth.seconds * Double(BulkTally.parts - cut)
        record.metrics.append(
            MetricValue(
                "stream-throughput",
                Double(bytes) * 8 / seconds,
                labels: labels,
                bound: ending.bound(
                    .upper,
                    limit,
                    derivation: "free rate × \(plan.link.payloadShare.text), and what was under "
                        + "way when the window began"
                )
            )
        )
        let all = roundTrips[cut...].reduce(into: LogHistogram()) { $0.merge($1) }
        guard all.count > 0 else { return }
        record.metrics.append(
            MetricValue(
                "path-rtt",
                distribution: all,
                labels: labels,
                bound: ending.bound(
                    .lower,
                    plan.roundTrip.milliseconds,
                    derivation: "the propagation delay of both directions"
                )
            )
        )
    }
}
