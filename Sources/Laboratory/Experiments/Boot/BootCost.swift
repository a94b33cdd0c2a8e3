import DataSets
import Determinism
import Initialization
import Scenarios
import SimulatedEffects
import Units

/// What one component costs in one boot.
struct BootCost: Sendable {
    /// Of one core at nominal speed.
    var cpu = Interval.zero
    var wait = Interval.zero
    /// Requests to shared services, one after the other.
    var requests: [(service: SharedService, count: Int, roundTrip: Interval)] = []
    /// The least time that it can take: nothing contended, no service time that may be shorter.
    var uncontended = Interval.zero
}

/// Draws the costs of a boot's components.
struct BootCosts: Sendable {
    private let components: [Model]
    private let sigma: Double
    /// Of the process before its first component, and of the framework; in a recording.
    private let overheads: [Overhead]

    private struct Overhead: Sendable {
        var times: BootRecording.Times
        /// Of the times, what the processors work; in 0...1.
        var cpuShare: Double

        init?(_ times: BootRecording.Times?, cpu: BootRecording.Times?) {
            guard let times, times.median > 0 else { return nil }
            self.times = times
            cpuShare = min(1, (cpu?.median ?? 0) / times.median)
        }
    }

    /// The cost of a component before it varies.
    private struct Model: Sendable {
        var name: String
        var cpu: Interval
        var wait: Interval
        /// Of `cpu` and `wait` where a recording says it; nil for the scenario's own.
        var sigmas: (cpu: Double, wait: Double)?
        var uses: [(service: SharedService, count: Int, roundTrip: Interval, least: Interval)]
    }

    /// - Parameter services: by name.
    init(_ workload: Scenario.BootWorkload, services: [String: SharedService]) {
        sigma = workload.sigma
        overheads = []
        components = workload.components.map { component in
            Model(
                name: component.specification.name,
                cpu: component.cpu,
                wait: component.wait,
                sigmas: nil,
                uses: component.uses.map { use in
                    guard let service = services[use.service],
                        let shared = workload.shared.first(where: { $0.name == use.service })
                    else { preconditionFailure("service '\(use.service)' was not checked") }
                    let least = shared.distribution == .constant ? shared.serviceTime : .zero
                    return (service, use.requests, shared.roundTrip, least)
                }
            )
        }
    }

    /// The costs of a real node's components as real boots showed them.
    init(_ recording: BootRecording, sigma: Double) {
        self.sigma = sigma
        overheads = [
            Overhead(recording.before, cpu: recording.beforeCPU),
            Overhead(recording.between, cpu: recording.betweenCPU),
        ].compactMap { $0 }
        components = recording.components.map { component in
            Model(
                name: component.name,
                cpu: Interval(seconds: component.cpu.median),
                wait: Interval(seconds: component.wait.median),
                sigmas: (component.cpu.sigma, component.wait.sigma),
                uses: []
            )
        }
    }

    /// What a life takes before its components: the process's start, and the framework's own work, which
    /// is charged there as well because no recording tells where in a boot it is done.
    func drawOverhead(
        seed: UInt64,
        node: NodeID,
        incarnation: UInt32
    ) -> (cpu: Interval, wait: Interval) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: "boot overhead",
            incarnation: incarnation
        )
        var cpu = Interval.zero
        var wait = Interval.zero
        for overhead in overheads {
            let whole = Interval(seconds: overhead.times.median)
                .varied(overhead.times.sigma, sigma, &random)
            let work = Interval(seconds: whole.seconds * overhead.cpuShare)
            cpu += work
            wait += whole - work
        }
        return (cpu, wait)
    }

    /// The draws follow from seed, node and incarnation alone, so that all variants meet the same.
    func draw(seed: UInt64, node: NodeID, incarnation: UInt32) -> [String: BootCost] {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: "boot costs",
            incarnation: incarnation
        )
        var costs: [String: BootCost] = [:]
        for model in components {
            let cpu = model.cpu.varied(model.sigmas?.cpu ?? 0, sigma, &random)
            let wait = model.wait.varied(model.sigmas?.wait ?? 0, sigma, &random)
            var least = cpu + wait
            for use in model.uses { least += (use.roundTrip + use.least) * Int64(use.count) }
            costs[model.name] = BootCost(
                cpu: cpu,
                wait: wait,
                requests: model.uses.map { ($0.service, $0.count, $0.roundTrip) },
                uncontended: least
            )
        }
        return costs
    }
}

extension Interval {
    /// Times a lognormal factor with median one, whose variances add up; a day at most.
    fileprivate func varied(
        _ own: Double,
        _ common: Double,
        _ random: inout SeededRandom
    ) -> Interval {
        let variance = own * own + common * common
        // Drawn in any case, so that no component's draw depends on another's costs.
        let normal = random.normal()
        guard variance > 0 else { return self }
        let factor = DeterministicMath.exp(variance.squareRoot() * normal)
        return Interval(seconds: min(seconds * factor, 86_400))
    }
}
