import LinkModel
public import Measurements
public import Scenarios
import Transport
import Units

extension Scenario {
    /// What the transfers of each variant meet, with names; empty where no TCP carries anything.
    ///
    /// With `streams: auto` the transport's starting number stands for the flows.
    public var linkProfiles: [(name: String, profile: LinkProfile)] {
        let transfers: Int
        switch workload {
        case .bulk, .transfer: transfers = 1
        case .migration(let migration): transfers = migration.concurrency
        case .echo, .boot: return []
        }
        let ends = workload.ends
        let path = topology.bottleneck(from: ends.first, to: ends.second)
        let roundTrip = topology.roundTrip(from: ends.first, to: ends.second)
        let estimate = topology.estimate(from: ends.first, to: ends.second)
        return variants.map { variant in
            let transport = variant.system.transport
            let configuration = TransportConfiguration(transport, link: estimate)
            let profile = LinkProfile(
                bitsPerSecond: Double(estimate.rate.bitsPerSecond),
                roundTripSeconds: roundTrip.seconds,
                loss: path.loss.meanRate,
                queueBytes: Double(path.queue.bytes(rate: path.rate, roundTrip: roundTrip).bytes),
                flows: configuration.streams * transfers,
                congestion: transport.congestion.rawValue
            )
            return (variant.name, profile)
        }
    }
}

extension Scenario {
    /// What the path of the transfers has that no calibration covers, whatever its figures are.
    public var uncalibratedFeatures: [String] {
        let ends = workload.ends
        let path = topology.bottleneck(from: ends.first, to: ends.second)
        let roundTrip = topology.roundTrip(from: ends.first, to: ends.second)
        var features: [String] = []
        if path.source != .fixed { features.append("a rate that varies") }
        if path.faults != .none {
            features.append("packets that are spoiled, repeated or reordered")
        }
        if path.discipline != .dropTail { features.append("another queue than drop-tail") }
        if isFluid(path, roundTrip: roundTrip) { features.append("connections as fluids") }
        return features
    }
}

extension Scenario.LossModel {
    fileprivate var meanRate: Double {
        switch self {
        case .none: 0
        case .bernoulli(let rate), .gilbert(let rate, _), .correlated(let rate, _): rate.value
        }
    }
}
