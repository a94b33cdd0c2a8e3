import HardwareModel
import LinkModel
import Machines
import Units

/// Faults with every default written out.
extension Scenario {
    /// What bounds faults and what varies; left out where there is none, so that older digests stay
    /// as they are.
    func writeChaos(into yaml: inout YAMLText) {
        if let recovery {
            yaml.mapping("recovery") { yaml in
                if let healAt = recovery.healAt {
                    yaml.field("heal-at", healAt)
                    yaml.field("progress-within", recovery.progressWithin)
                    yaml.field("core", recovery.core.rawValue)
                }
                yaml.field("data-loss", recovery.dataLoss.rawValue)
                if let role = recovery.replicas { yaml.field("replicas", YAMLText.name(role)) }
            }
        }
        if let swarm { yaml.mapping("swarm") { write(swarm, into: &$0) } }
    }

    private func write(_ swarm: Swarm, into yaml: inout YAMLText) {
        yaml.field("present", QuantityText.percentText(swarm.present))
        yaml.field("intensity", Scenario.rangeText(swarm.intensity))
        if !swarm.nodes.isEmpty {
            yaml.mapping("nodes") { yaml in
                for entry in swarm.nodes {
                    let count = entry.count
                    yaml.field(
                        regionName(entry.region),
                        "\(count.lowerBound)..\(count.upperBound)"
                    )
                }
            }
        }
        yaml.field("delay", Scenario.rangeText(swarm.delay))
        yaml.field("rate", Scenario.rangeText(swarm.rate))
        if let loss = swarm.loss {
            let ends = [loss.lowerBound, loss.upperBound].map(QuantityText.percentText)
            yaml.field("loss", ends.joined(separator: ".."))
        }
        if !swarm.knobs.isEmpty {
            yaml.mapping("knobs") { yaml in
                for knob in swarm.knobs {
                    let options = knob.options.joined(separator: ", ")
                    yaml.field(YAMLText.name(knob.name), "[\(options)]")
                }
            }
        }
        if swarm.checked.value < 1 {
            yaml.field("checked", QuantityText.percentText(swarm.checked))
        }
        if let points = swarm.points {
            yaml.mapping("points") { yaml in
                yaml.field("enabled", QuantityText.percentText(points.enabled))
                yaml.field("strikes", QuantityText.percentText(points.strikes))
            }
        }
    }

    private static func rangeText(_ range: ClosedRange<Double>) -> String {
        let low = QuantityText.numberText(range.lowerBound)
        return range.lowerBound == range.upperBound
            ? low : "\(low)..\(QuantityText.numberText(range.upperBound))"
    }

    func write(_ rule: FaultRule, into yaml: inout YAMLText) {
        yaml.field("kind", rule.action.kind)
        switch rule.schedule {
        case .at(let span): yaml.field("at", Scenario.spanText(span))
        case .every(let period): yaml.field("every", period)
        case .probability(let share):
            yaml.field("probability", QuantityText.percentText(share))
        case .failures(let mean): yaml.field("mtbf", mean)
        }
        if let until = rule.until { yaml.field("until", until) }
        switch rule.duration {
        case .range(let span): yaml.field("for", Scenario.spanText(span))
        case .exponential(let mean): yaml.field("mttr", mean)
        case nil: break
        }
        Scenario.write(rule.action, into: &yaml)
        // A service is no node: its faults select nothing.
        guard rule.action.service == nil, !rule.selectsEverything else { return }
        yaml.mapping("select") { yaml in
            if let region = rule.selection.region { yaml.field("region", regionName(region)) }
            if let link = rule.selection.link { yaml.quoted("link", link) }
            if let role = rule.selection.role { yaml.field("role", YAMLText.name(role)) }
            if let label = rule.selection.label { yaml.field("label", YAMLText.name(label)) }
            switch rule.selection.pick {
            // What fails by itself is not picked.
            case _ where rule.schedule.isFailures: break
            case .one: yaml.field("pick", "one")
            case .leader: yaml.field("pick", "leader")
            case .all: yaml.field("pick", "all")
            case .count(let count): yaml.field("pick", count)
            case .percent(let share): yaml.field("pick", QuantityText.percentText(share))
            }
            if rule.selection.unit != .node {
                yaml.field("unit", rule.selection.unit.rawValue)
            }
        }
    }

    private static func write(_ action: FaultRule.Action, into yaml: inout YAMLText) {
        switch action {
        case .nodeCrash, .nodeRestart, .nodePause, .netSwizzle, .netResetPeer: break
        case .boot(let fault): Scenario.write(fault, into: &yaml)
        case .netDown(let direction), .netClog(let direction):
            yaml.field("direction", direction.rawValue)
        case .netDelay(let direction, let extra):
            yaml.field("direction", direction.rawValue)
            yaml.field("delay", extra)
        case .netBlackHole(let direction, let limit):
            yaml.field("direction", direction.rawValue)
            yaml.field("limit", limit)
        case .netLoss(let direction, let loss):
            yaml.field("direction", direction.rawValue)
            yaml.mapping("loss") { Scenario.write(loss, into: &$0) }
        case .netPartition(let mode, let flapping):
            yaml.field("mode", mode.word)
            if case .oneWay(let direction) = mode {
                yaml.field("direction", direction.rawValue)
            }
            if let flapping { yaml.field("period", flapping.period) }
        case .link(let fault, let direction):
            yaml.field("direction", direction.rawValue)
            write(fault, into: &yaml)
        case .node(let fault): write(fault, into: &yaml)
        case .clock(let rule): write(rule, into: &yaml)
        case .disk(let fault): write(fault, into: &yaml)
        }
    }

    private static func write(_ fault: FaultRule.LinkFault, into yaml: inout YAMLText) {
        switch fault {
        case .jitter(let jitter):
            yaml.mapping("jitter") { Scenario.write(jitter, into: &$0) }
        case .duplicate(let rate, let correlation), .corrupt(let rate, let correlation):
            yaml.field("rate", QuantityText.percentText(rate))
            yaml.field("correlation", QuantityText.percentText(correlation))
        case .reorder(let rate, let hold, let correlation):
            yaml.field("rate", QuantityText.percentText(rate))
            yaml.field("correlation", QuantityText.percentText(correlation))
            yaml.field("hold", hold)
        case .bandwidth(.rate(let rate)): yaml.field("rate", rate)
        case .bandwidth(.share(let share)):
            yaml.field("share", QuantityText.percentText(share))
        case .trace(let reference, _):
            yaml.quoted("trace", reference.name)
            yaml.field("ending", reference.ending.rawValue)
            if let digest = reference.digest { yaml.quoted("digest", digest) }
        case .bufferbloat(let factor):
            yaml.field("factor", QuantityText.numberText(factor))
        case .routeChange(let delay, let outage):
            yaml.field("delay", delay)
            yaml.field("outage", outage)
        case .flap(let flapping):
            yaml.field("period", flapping.period)
            yaml.field("down", QuantityText.percentText(flapping.share))
        }
    }

    private static func write(_ fault: FaultRule.NodeFault, into yaml: inout YAMLText) {
        switch fault {
        case .reboot(let losingDisk): yaml.field("disk", losingDisk ? "lost" : "kept")
        case .crashAtWrite(let write): yaml.field("write", write)
        case .slow(let factor, let step):
            yaml.field("factor", QuantityText.numberText(factor))
            yaml.field("step", step)
        case .memory(let stalls, let stall, let kill):
            yaml.field("stalls", QuantityText.percentText(stalls))
            yaml.field("stall", spanText(stall))
            yaml.field("kill", QuantityText.percentText(kill))
        case .rollingUpgrade(let gap): yaml.field("gap", gap)
        }
    }

    private static func write(_ rule: FaultRule.ClockRule, into yaml: inout YAMLText) {
        switch rule {
        case .offset(let by, let sense), .jump(let by, let sense):
            yaml.field("by", spanText(by))
            yaml.field("sense", sense.rawValue)
        case .drift(let rate, let sense):
            yaml.field("rate", QuantityText.percentText(rate))
            yaml.field("sense", sense.rawValue)
        case .freeze: break
        case .strobe(let by, let period):
            yaml.field("by", spanText(by))
            yaml.field("period", period)
        }
    }

    private static func write(_ fault: DiskFault, into yaml: inout YAMLText) {
        switch fault {
        case .latency(let added, let slowdown):
            yaml.field("added", added)
            yaml.field("slowdown", QuantityText.numberText(slowdown))
        case .error(let operation, let chance):
            yaml.field("operation", operation.rawValue)
            yaml.field("chance", QuantityText.percentText(chance))
        case .full(let remaining): yaml.field("remaining", remaining)
        case .tornWrites: break
        case .lostSyncs(let chance), .bitRot(let chance), .misdirected(let chance):
            yaml.field("chance", QuantityText.percentText(chance))
        }
    }
}
