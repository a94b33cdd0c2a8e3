import HardwareModel
import LinkModel
import Measurements
import Units

/// The faults besides crashes, delays and losses, each from its keys.
extension ScenarioBuilder {
    mutating func partition(
        _ record: CheckedRecord,
        _ direction: FaultRule.Direction?
    ) -> FaultRule.Action? {
        let word = record.text("mode")
        if word != "one-way", let value = record["direction"] {
            add(.conflict, value, "'direction' belongs to the mode one-way")
        }
        let flapping = record.optionalInterval("period").map {
            FaultRule.Flapping(period: $0, share: Ratio(0.5))
        }
        if let flapping, let value = record["period"] {
            bound(flapping.period, of: record, value)
        }
        let modes: [FaultRule.PartitionMode] = [
            .halves, .isolate, .oneWay(direction ?? .outbound), .majorityMinority, .bridge, .ring,
            .chained, .quorumLoss, .constrainedElection, .singleLink,
        ]
        return modes.first { $0.word == word }.map { .netPartition($0, flapping: flapping) }
    }

    mutating func linkFault(_ record: CheckedRecord) -> FaultRule.LinkFault? {
        let rate = record.share("rate")
        let correlation = record.share("correlation")
        switch record.word {
        case "net.jitter": return .jitter(jitter(record.record("jitter"), delay: .milliseconds(10)))
        case "net.duplicate": return .duplicate(rate, correlation: correlation)
        case "net.corrupt": return .corrupt(rate, correlation: correlation)
        case "net.reorder":
            return .reorder(rate, hold: record.interval("hold"), correlation: correlation)
        case "net.bandwidth": return bandwidth(record)
        case "net.trace":
            let reference = Scenario.TraceReference(
                name: record.text("trace") ?? "",
                ending: record.text("ending").flatMap(RateTrace.Ending.init) ?? .repeat,
                digest: record.text("digest")
            )
            return .trace(reference, nil)
        case "net.bufferbloat": return .bufferbloat(factor: record.number("factor"))
        case "net.route-change":
            return .routeChange(
                delay: record.interval("delay"),
                outage: record.interval("outage")
            )
        case "net.flap":
            let period = record.interval("period")
            if let value = record["period"] { bound(period, of: record, value) }
            return .flap(FaultRule.Flapping(period: period, share: record.share("down")))
        default: return nil
        }
    }

    private mutating func bandwidth(_ record: CheckedRecord) -> FaultRule.LinkFault? {
        guard record.has("rate") != record.has("share") else {
            add(
                record.has("rate") ? .conflict : .missingKey,
                record,
                record.has("rate")
                    ? "the fault has both 'rate' and 'share'"
                    : "the fault does not say what is left of the rate",
                expected: "one of rate, share"
            )
            return nil
        }
        return .bandwidth(
            record.has("rate") ? .rate(record.rate("rate")) : .share(record.share("share"))
        )
    }

    /// What is no fault of links; `nil` where the word has been reported.
    mutating func moreAction(
        _ record: CheckedRecord,
        _ direction: FaultRule.Direction
    ) -> FaultRule.Action? {
        switch record.word {
        case "net.clog": return .netClog(direction)
        case "net.swizzle": return .netSwizzle
        case "net.reset-peer": return .netResetPeer
        case "node.reboot": return .node(.reboot(losingDisk: record.text("disk") == "lost"))
        case "node.crash-at-write": return .node(.crashAtWrite(max(1, record.integer("write"))))
        case "node.slow-cpu":
            let factor = record.number("factor")
            let step = record.interval("step")
            if factor == 1, step == .zero {
                add(.conflict, record, "the fault changes nothing", expected: "a factor or a step")
            }
            return .node(.slow(factor: factor, step: step))
        case "node.memory":
            return .node(
                .memory(
                    stalls: record.share("stalls"),
                    stall: record.span("stall") ?? .milliseconds(1)...(.milliseconds(20)),
                    kill: record.share("kill")
                )
            )
        case "node.rolling-upgrade": return .node(.rollingUpgrade(gap: record.interval("gap")))
        default: return clock(record).map { .clock($0) } ?? disk(record).map { .disk($0) }
        }
    }

    private mutating func clock(_ record: CheckedRecord) -> FaultRule.ClockRule? {
        let by = record.span("by") ?? .milliseconds(1)...(.milliseconds(1))
        let sense = record.text("sense").flatMap(FaultRule.Sense.init(rawValue:)) ?? .either
        switch record.word {
        case "clock.offset": return .offset(bounded(by, record), sense)
        case "clock.jump": return .jump(bounded(by, record), sense)
        case "clock.drift": return .drift(record.share("rate"), sense)
        case "clock.freeze": return .freeze
        case "clock.strobe":
            let period = record.interval("period")
            if let value = record["period"] { bound(period, of: record, value) }
            return .strobe(bounded(by, record), period: period)
        default: return nil
        }
    }

    /// Reports a setting of more than a year, after which instants would run out.
    private mutating func bounded(
        _ by: ClosedRange<Interval>,
        _ record: CheckedRecord
    ) -> ClosedRange<Interval> {
        let longest = Interval.seconds(366 * 86_400)
        if by.upperBound > longest, let value = record["by"] {
            add(
                .outOfRange,
                value,
                "the clock is set by \(by.upperBound)",
                expected: "at most 366 d"
            )
        }
        return by
    }

    private mutating func disk(_ record: CheckedRecord) -> DiskFault? {
        let chance = record.share("chance")
        switch record.word {
        case "disk.latency":
            let added = record.interval("added")
            let slowdown = record.number("slowdown")
            if added == .zero, slowdown == 1 {
                add(.conflict, record, "the fault changes nothing", expected: "added or slowdown")
            }
            return .latency(added: added, slowdown: slowdown)
        case "disk.error":
            let operation = record.text("operation").flatMap(DiskOperation.init(rawValue:))
            return .error(operation ?? .sync, chance)
        case "disk.full": return .full(remaining: record.size("remaining"))
        case "disk.torn-write": return .tornWrites
        case "disk.lost-fsync": return .lostSyncs(chance)
        case "disk.bit-rot": return .bitRot(chance)
        case "disk.misdirected": return .misdirected(chance)
        default: return nil
        }
    }

    /// Reports a fault that would come and go too often in the time it lasts.
    private mutating func bound(_ period: Interval, of record: CheckedRecord, _ value: CheckedValue)
    {
        guard let length = record.span("for")?.upperBound else {
            if record.word == "net.partition" {
                add(
                    .missingKey,
                    record,
                    "a partition that comes and goes needs an end",
                    expected: "for: 30 s"
                )
            }
            return
        }
        let turns = length.nanoseconds / max(1, period.nanoseconds)
        guard turns > Scenario.maximumFaultOccurrences else { return }
        add(
            .limit,
            value,
            "the fault would come and go \(turns) times",
            expected: "at most \(Scenario.maximumFaultOccurrences) times"
        )
    }

    /// Reports a fault that its links cannot carry out.
    mutating func checkLinks(
        _ rule: FaultRule,
        _ record: CheckedRecord,
        _ value: CheckedValue,
        in scenario: Scenario
    ) {
        guard case .link(let fault, let direction) = rule.action else { return }
        let ends = scenario.linkCandidates(for: rule.selection, direction: direction)
            .flatMap { $0 }
        let paths = ends.map { ends in
            ends.from == ends.to
                ? scenario.topology.regions[Int(ends.from.rawValue)].local
                : scenario.topology.link(from: ends.from, to: ends.to)?.path
        }
        let setsRate: Bool =
            switch fault {
            case .bandwidth, .trace: true
            default: false
            }
        if setsRate, paths.contains(where: { $0?.source != .fixed }) {
            add(
                .conflict,
                value,
                "the rate of a link varies already, and would not come back",
                expected: "links with a fixed rate"
            )
        }
        let isOfPackets: Bool =
            switch fault {
            case .jitter, .duplicate, .corrupt, .reorder, .bufferbloat, .trace: true
            case .bandwidth, .routeChange, .flap: false
            }
        if isOfPackets,
            paths.contains(where: { $0?.rdma != nil || $0?.fidelity ?? .packet != .packet })
        {
            add(
                .conflict,
                value,
                "'\(rule.action.kind)' befalls packets; fluids and streams over RDMA have none",
                expected: "links with fidelity: packet and streams: tcp"
            )
        }
    }
}

extension ScenarioBuilder {
    /// Reports a fault that is aimed at a leader where there is none, or that cannot wait for it: what it
    /// does to each replica that may lead must be known before.
    mutating func checkAim(
        _ rule: FaultRule,
        _ record: CheckedRecord,
        _ value: CheckedValue,
        in scenario: Scenario
    ) {
        guard rule.selection.pick == .leader else { return }
        var reason: String?
        if case .requests = scenario.workload {
            let replicas = scenario.nodeCandidates(for: rule.selection).filter {
                !scenario.clientNodes.contains($0)
            }
            if replicas.isEmpty { reason = "no replica is selected that could lead" }
        } else {
            reason = "nobody leads in the workload '\(scenario.workload.kind.rawValue)'"
        }
        if !rule.action.canBeAimed {
            reason = "'\(rule.action.kind)' cannot be aimed at a leader"
        } else if rule.selection.unit != .node {
            reason = "a leader is one node, no \(rule.selection.unit.rawValue)"
        } else if place ?? scenario.environment != .simulated {
            reason = "who leads is known in simulation only"
        }
        guard let reason else { return }
        add(.conflict, record.record("select")["pick"] ?? value, reason, expected: "another 'pick'")
    }
}
