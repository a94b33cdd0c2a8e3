import LinkModel
import Machines
import Measurements
import Scenarios
import Transport
import Units

/// What a transfer's link can carry in a window.
struct FreeRate: Sendable {
    /// Bits a second beside the link's background load.
    let whole: Double
    /// The same without what flows of others took.
    let rate: Double
    /// Bits of others that may belong to the time before.
    private let blur: Double

    init(of plan: BulkTransferPlan, in window: BulkWindow, _ ending: ReplicationEnding) {
        let (from, to) = (plan.transfer.from, plan.transfer.to)
        let bits = ending.link(from: from, to: to)?.parameters
            .freeBits(from: window.start, to: window.end)
        whole =
            bits.map { $0 / window.seconds }
            ?? Double(plan.link.rate.bitsPerSecond) * (1 - plan.link.background.value)
        let taken = ending.cross.map {
            $0.bitsTaken(
                over: LinkEnds(from: from, to: to),
                from: window.start,
                to: window.end
            ) / (window.end - window.start).seconds
        }
        rate = whole - (taken ?? 0)
        blur = ending.cross.map { [whole] in whole * $0.resolution.seconds } ?? 0
    }

    /// Bits a second of what was under way when the window began, which may be delivered inside it.
    func held(by tallies: [BulkTally], in window: BulkWindow) -> Double {
        let windows = tallies.reduce(0) { $0 + Double($1.plan.configuration.window) * 8 }
        return (windows + blur) / window.seconds
    }
}

/// What a transfer, or all of a link, made of the link in a window.
struct LinkUse: Sendable {
    /// Of one of the transfers.
    let plan: BulkTransferPlan
    let window: BulkWindow
    /// Payload of whole chunks.
    let bytes: Int
    let free: FreeRate
    /// Of all the transfers; see `FreeRate.held`.
    let held: Double
    /// Bits a second of chunks that streams may have brought in part, and receivers not have told, when the window
    /// began; of several transfers, which have many.
    var untold = 0.0

    /// Without the scenario's link there is nothing to make use of.
    func measure(
        _ ending: ReplicationEnding,
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        guard ending.isShaped, free.rate > 0 else { return }
        // Fewer products say more about slow start than about the steady state.
        let products = Double(bytes) / (free.rate / 8 * plan.roundTrip.seconds)
        let rounded = (products * 10).rounded() / 10
        record.facts.append(
            Fact("bandwidth-delay products\(suffix)", "\(rounded) in the window")
        )
        guard products >= 50 else { return }
        // Where the free rate varies, the window may begin with what a better time has sent.
        let isSteady = plan.link.source == .fixed && ending.cross == nil
        let carried = isSteady ? untold / free.rate : held / free.rate
        record.metrics.append(
            MetricValue(
                "utilisation",
                100 * (Double(bytes) * 8 / window.seconds) / free.rate,
                labels: labels,
                bound: PhysicalBound(
                    .upper,
                    100 * (1 + carried),
                    derivation: carried == 0
                        ? "the free rate of the link"
                        : isSteady
                            ? "the free rate of the link, and chunks that had come in part when the "
                                + "window began"
                            : "the free rate's integral, and what was under way when the window began"
                )
            )
        )
    }
}

extension BulkTally {
    /// Whether the other one's data go the same way.
    func takesLink(of other: BulkTally) -> Bool {
        plan.transfer.from == other.plan.transfer.from && plan.transfer.to == other.plan.transfer.to
    }

    /// What several transfers made of the link that they all take; nothing where their windows differ.
    ///
    /// - Parameters:
    ///   - group: The transfers of the link, at least one.
    ///   - isAllOfSender: Their sender has no others.
    static func measureLink(
        of group: [BulkTally],
        _ ending: ReplicationEnding,
        into record: inout RunRecord,
        isAllOfSender: Bool
    ) {
        let (first, plan) = (group[0], group[0].plan)
        let (labels, suffix) = ([Label("link", plan.linkName)], ", \(plan.linkName)")
        let windows = Set(group.map(\.window))
        guard windows.count == 1, let window = first.window else {
            let reason =
                windows == [nil]
                ? "its transfers have no steady part" : "its transfers have different windows"
            record.facts.append(Fact("utilisation\(suffix)", "left out: \(reason)"))
            return
        }
        record.markers.append(
            Marker(time: window.start, kind: "warmup.end", text: plan.linkName)
        )
        let bytes = group.reduce(0) { $0 + $1.bytes(in: window) }
        if isAllOfSender {
            record.metrics += ending.processorCosts(
                of: Int64(bytes),
                [
                    plan.ends[0],
                    TransferEnd(region: plan.ends[1].region, nodes: group.map(\.plan.receiver)),
                ],
                from: window.start,
                to: first.end,
                labels: labels
            )
        }
        first.measureHarm(in: window, ending, into: &record, labels, suffix)
        let free = FreeRate(of: plan, in: window, ending)
        let held = free.held(by: group, in: window)
        var use = LinkUse(plan: plan, window: window, bytes: bytes, free: free, held: held)
        let pieces = group.reduce(0) { sum, tally in
            let configuration = tally.plan.configuration
            let chunk = configuration.chunkSize
            return sum + configuration.streams * chunk + max(1 << 16, chunk)
        }
        use.untold = Double(pieces) * 8 / window.seconds
        use.measure(ending, into: &record, labels, suffix)
    }
}
