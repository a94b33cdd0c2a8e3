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
        case .bulk: transfers = 1
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

extension Scenario.LossModel {
    fileprivate var meanRate: Double {
        switch self {
        case .none: 0
        case .bernoulli(let rate), .gilbert(let rate, _): rate.value
        }
    }
}
