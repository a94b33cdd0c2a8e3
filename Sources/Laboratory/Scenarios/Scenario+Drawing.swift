import Determinism
import Synchronization
import Units

extension Scenario {
    /// The scenario of one replication: what the seed draws from the swarm, and nothing left to
    /// draw. A pure function of the scenario and the seed; without a swarm, the scenario itself.
    ///
    /// Its digest stays that of the scenario it was drawn from.
    ///
    /// - Parameter digest: This scenario's digest where it is known already, because it takes as long as
    ///   the drawing.
    public func drawn(seed: UInt64, digest: String? = nil) -> Scenario {
        guard let swarm, drawing == nil else { return self }
        var scenario = self
        scenario.swarm = nil
        scenario.seed = seed
        var drawing = Drawing(origin: digest ?? self.digest, choices: [])
        scenario.drawNodes(swarm, seed, &drawing)
        scenario.drawLinks(swarm, seed, &drawing)
        scenario.drawKnobs(swarm, seed, &drawing)
        scenario.drawFaults(swarm, seed, &drawing)
        scenario.drawChecks(swarm, seed, &drawing)
        scenario.drawing = drawing
        return scenario
    }

    /// Whether the invariants that a swarm samples are checked in a seed.
    public func checks(seed: UInt64) -> Bool { swarm?.checks(seed: seed) ?? true }

    private mutating func drawNodes(
        _ swarm: Swarm,
        _ seed: UInt64,
        _ drawing: inout Drawing
    ) {
        for entry in swarm.nodes {
            var random = Scenario.stream("swarm nodes", entry.region.rawValue, seed)
            let width = UInt64(entry.count.upperBound - entry.count.lowerBound + 1)
            let count = entry.count.lowerBound + Int(random.below(width))
            topology.regions[Int(entry.region.rawValue)].nodes = count
            drawing.add("nodes in \(regionName(entry.region))", "\(count)")
        }
    }

    private mutating func drawLinks(
        _ swarm: Swarm,
        _ seed: UInt64,
        _ drawing: inout Drawing
    ) {
        for index in topology.links.indices {
            let link = topology.links[index]
            // Both directions of a pair are one way through the world.
            let place = min(link.from, link.to).rawValue << 14 + max(link.from, link.to).rawValue
            topology.links[index].path.vary(swarm, place, seed, link.name, &drawing)
        }
        for index in topology.regions.indices {
            let place = UInt32(index) << 14 + UInt32(index)
            let name = "inside \(topology.regions[index].name)"
            topology.regions[index].local.vary(swarm, place, seed, name, &drawing)
        }
    }

    private mutating func drawKnobs(
        _ swarm: Swarm,
        _ seed: UInt64,
        _ drawing: inout Drawing
    ) {
        var patches: [String] = []
        for (index, knob) in swarm.knobs.enumerated() where !knob.options.isEmpty {
            var random = Scenario.stream("swarm knob", UInt32(index), seed)
            let option = knob.options[Int(random.below(UInt64(knob.options.count)))]
            patches.append(option)
            drawing.add(knob.name, option)
        }
        guard !patches.isEmpty else { return }
        let common = system
        system = common.patched(with: patches)
        for index in variants.indices {
            let own = variants[index].system
            variants[index].system = own == common ? system : own.patched(with: patches)
        }
    }

    private mutating func drawFaults(
        _ swarm: Swarm,
        _ seed: UInt64,
        _ drawing: inout Drawing
    ) {
        var present: [FaultRule] = []
        var words: [String] = []
        for (index, rule) in faults.enumerated() {
            var presence = Scenario.stream("swarm presence", UInt32(index), seed)
            var strength = Scenario.stream("swarm intensity", UInt32(index), seed)
            guard presence.chance(swarm.present) else { continue }
            var rule = rule
            let factor = strength.factor(in: swarm.intensity)
            guard fit(&rule) else { continue }
            if rule.schedule.multiply(by: factor), factor != 1 {
                words.append("\(rule.action.kind) ×\(Scenario.shortText(factor))")
            } else {
                words.append(rule.action.kind)
            }
            present.append(rule)
        }
        drawing.add(
            "faults, \(present.count) of \(faults.count)",
            words.isEmpty ? "none" : words.joined(separator: ", ")
        )
        faults = present
    }

    private mutating func drawChecks(
        _ swarm: Swarm,
        _ seed: UInt64,
        _ drawing: inout Drawing
    ) {
        guard swarm.checked.value < 1 else { return }
        let isChecked = swarm.checks(seed: seed)
        if !isChecked { invariants.removeAll(where: \.isSampled) }
        drawing.add("invariants", isChecked ? "all" : "without those that are sampled")
    }

    /// Whether the rule strikes anything among the nodes that were drawn; a pick of more than there are
    /// is then one of all.
    private func fit(_ rule: inout FaultRule) -> Bool {
        if let direction = rule.linkDirection {
            let links = linkCandidates(for: rule.selection, direction: direction).count
            rule.selection.pick.limit(to: links)
            return links > 0
        }
        if rule.action.service != nil { return true }
        let groups = nodeGroups(for: rule.selection).count
        rule.selection.pick.limit(to: groups)
        guard groups > 0 else { return false }
        guard case .netPartition(let mode, _) = rule.action, rule.selection.unit == .node else {
            return true
        }
        let picked = rule.selection.pick.count(of: groups)
        if mode.partsSelected { return picked >= mode.leastNodes }
        return topology.nodeCount > 1 && (mode == .isolate || picked < topology.nodeCount)
    }

    fileprivate static func stream(
        _ purpose: StaticString,
        _ index: UInt32,
        _ seed: UInt64
    ) -> SeededRandom {
        SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 2),
            purpose: purpose,
            incarnation: index
        )
    }

    /// Two digits behind the point, for people.
    fileprivate static func shortText(_ value: Double) -> String {
        QuantityText.numberText((value * 100).rounded() / 100)
    }
}

extension Scenario.Drawing {
    fileprivate mutating func add(_ name: String, _ value: String) {
        choices.append(Choice(name: name, value: value))
    }
}

extension Scenario.PathProperties {
    fileprivate mutating func vary(
        _ swarm: Scenario.Swarm,
        _ place: UInt32,
        _ seed: UInt64,
        _ name: String,
        _ drawing: inout Scenario.Drawing
    ) {
        var delays = Scenario.stream("swarm delay", place, seed)
        var rates = Scenario.stream("swarm rate", place, seed)
        var losses = Scenario.stream("swarm loss", place, seed)
        let delayFactor = delays.factor(in: swarm.delay)
        let rateFactor = rates.factor(in: swarm.rate)
        let share = swarm.loss.map { range in
            let width = range.upperBound.value - range.lowerBound.value
            return Ratio(range.lowerBound.value + width * losses.unit())
        }
        vary(delay: delayFactor, rate: rateFactor, loss: share)
        var words: [String] = []
        if delayFactor != 1 { words.append("delay \(delay)") }
        if rateFactor != 1, source == .fixed { words.append("rate \(rate)") }
        if let share { words.append("loss \(Scenario.shortText(100 * share.value)) %") }
        if !words.isEmpty { drawing.add(name, words.joined(separator: ", ")) }
    }
}

extension FaultRule.Pick {
    fileprivate mutating func limit(to candidates: Int) {
        if case .count(let count) = self, count > candidates { self = .count(max(1, candidates)) }
    }
}

extension FaultRule.Schedule {
    /// Makes the fault come so many times as often; `false` where it comes once.
    fileprivate mutating func multiply(by factor: Double) -> Bool {
        switch self {
        case .at: return false
        case .every(let period):
            self = .every(max(.milliseconds(1), period.scaled(by: 1 / factor)))
        case .probability(let probability):
            self = .probability(Ratio(min(1, probability.value * factor)))
        case .failures(let mean):
            // Intervals end at 292 years.
            let seconds = min(9e9, max(1e-3, mean.seconds / factor))
            self = .failures(mean: Interval(seconds: seconds))
        }
        return true
    }
}

extension SeededRandom {
    /// Even on a logarithmic scale; one draw whatever the range.
    mutating func factor(in range: ClosedRange<Double>) -> Double {
        let position = unit()
        guard range.lowerBound < range.upperBound else { return range.lowerBound }
        let low = DeterministicMath.log(range.lowerBound)
        let high = DeterministicMath.log(range.upperBound)
        let value = DeterministicMath.exp(low + position * (high - low))
        return min(range.upperBound, max(range.lowerBound, value))
    }
}

/// What knobs make of configurations. Seeds draw the same few again and again, and to read one takes longer than
/// all else that a seed draws.
private final class KnobResults: Sendable {
    static let shared = KnobResults()
    private static let limit = 1024
    private let known = Mutex<[Place: Scenario.SystemConfiguration]>([:])

    struct Place: Hashable {
        var configuration: Scenario.SystemConfiguration
        var patches: [String]
    }

    func result(
        of place: Place,
        or make: () -> Scenario.SystemConfiguration
    ) -> Scenario.SystemConfiguration {
        if let result = known.withLock({ $0[place] }) { return result }
        let result = make()
        known.withLock {
            if $0.count >= KnobResults.limit { $0.removeAll() }
            $0[place] = result
        }
        return result
    }
}

extension Scenario.SystemConfiguration {
    /// With patches in the words of the language merged onto it, in order. Each was checked alone;
    /// one that does not fit what those before it made changes nothing.
    func patched(with patches: [String]) -> Scenario.SystemConfiguration {
        let place = KnobResults.Place(configuration: self, patches: patches)
        return KnobResults.shared.result(of: place) { reading(patches) }
    }

    private func reading(_ patches: [String]) -> Scenario.SystemConfiguration {
        var yaml = YAMLText()
        Scenario.write(self, into: &yaml)
        let shape = Shape.record(ScenarioShapes.system)
        var report = DiagnosticReport(file: "system", text: yaml.text)
        var configuration = self
        guard var document = DocumentReader.read(yaml.text, into: &report) else { return self }
        for patch in patches {
            var report = DiagnosticReport(file: "patch", text: patch)
            guard let change = DocumentReader.read(patch, into: &report) else { continue }
            let merged = DocumentMerge.merged(document, change, shape)
            let checked = ShapeChecker.check(merged, shape, path: "system", &report)
            guard report.isEmpty else { continue }
            document = merged
            configuration = ScenarioBuilder.configuration(checked.record)
        }
        return configuration
    }
}

extension Scenario.Swarm {
    fileprivate func checks(seed: UInt64) -> Bool {
        guard checked.value < 1 else { return true }
        var random = Scenario.stream("swarm checks", 0, seed)
        return random.chance(checked)
    }
}

extension Scenario.Invariant {
    /// Whether a swarm may leave it unchecked in some seeds: those whose checks cost as much as a run.
    public var isSampled: Bool {
        switch self {
        case .linearizable, .raftSafety, .commandsAppliedOnce: true
        default: false
        }
    }
}
