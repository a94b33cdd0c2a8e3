import LinkModel
public import Measurements
public import Scenarios
import Transport
import Units

extension Scenario {
    /// What the transfers of each variant meet, with names; empty where no TCP carries anything.
    ///
    /// With `streams: auto` the transport's starting number stands for the flows, and with
    /// `congestion: auto` there is a profile for each control that may be chosen.
    public var linkProfiles: [(name: String, profile: LinkProfile)] {
        let paths = tcpPaths
        return variants.flatMap { variant in
            paths.flatMap { path in
                path.profiles(of: variant, in: topology).map { profile in
                    (paths.count > 1 ? "\(variant.name) over \(path.name)" : variant.name, profile)
                }
            }
        }
    }

    /// What the paths of the transfers have that no calibration covers, whatever its figures are.
    public var uncalibratedFeatures: [String] {
        var features: [String] = []
        for path in tcpPaths {
            for feature in uncalibratedFeatures(of: path) where !features.contains(feature) {
                features.append(feature)
            }
        }
        return features
    }

    private func uncalibratedFeatures(of path: TCPPath) -> [String] {
        let properties = topology.bottleneck(from: path.from, to: path.to)
        var features: [String] = []
        if properties.source != .fixed { features.append("a rate that varies") }
        if properties.faults != .none {
            features.append("packets that are spoiled, repeated or reordered")
        }
        if properties.discipline != .dropTail { features.append("another queue than drop-tail") }
        switch properties.jitter.distribution {
        case .none: break
        case .normal where !properties.jitter.reorders: break
        default: features.append("another delay variation than a normal one in order")
        }
        if isFluid(properties, roundTrip: topology.roundTrip(from: path.from, to: path.to)) {
            features.append("connections as fluids")
        }
        let others =
            crossTraffic(from: path.from, to: path.to) + crossTraffic(from: path.to, to: path.from)
        if !others.isEmpty { features.append("flows of others") }
        return features
    }

    /// The paths that the workload's streams take.
    private var tcpPaths: [TCPPath] {
        func path(_ from: RegionID, _ to: RegionID, sharedBy count: Int = 1) -> TCPPath {
            let region = topology.regions[Int(from.rawValue)].name
            let name = topology.link(from: from, to: to)?.name ?? region
            return TCPPath(name: name, from: from, to: to, transfers: count)
        }
        switch workload {
        case .bulk(let bulk): return bulk.transfers.map { path($0.from, $0.to) }
        case .transfer(let transfer): return [path(transfer.from, transfer.to)]
        case .migration(let migration):
            let ends = workload.ends
            return [path(ends.first, ends.second, sharedBy: migration.concurrency)]
        case .echo, .boot, .requests: return []
        }
    }
}

/// A path that transfers take, and how many of them share it.
private struct TCPPath {
    let name: String
    let from: RegionID
    let to: RegionID
    let transfers: Int

    func profiles(of variant: Scenario.Variant, in topology: Scenario.Topology) -> [LinkProfile] {
        let path = topology.bottleneck(from: from, to: to)
        let roundTrip = topology.roundTrip(from: from, to: to)
        let estimate = topology.estimate(from: from, to: to)
        return variant.system.transport.possibleControls.map { congestion in
            var transport = variant.system.transport
            transport.congestion = congestion
            let configuration = TransportConfiguration(transport, link: estimate)
            return LinkProfile(
                bitsPerSecond: Double(estimate.rate.bitsPerSecond),
                roundTripSeconds: roundTrip.seconds,
                jitterSeconds: path.jitter.normalScale.seconds,
                loss: path.loss.meanRate,
                lossBurst: path.loss.meanBurst,
                queueBytes: Double(path.queue.bytes(rate: path.rate, roundTrip: roundTrip).bytes),
                flows: configuration.streams * transfers,
                congestion: congestion.rawValue
            )
        }
    }
}

extension Scenario.SystemConfiguration.Transport {
    fileprivate var possibleControls: [Congestion] {
        congestion == .automatic ? [.cubic, .bbr] : [congestion]
    }
}

extension Scenario.Jitter {
    fileprivate var normalScale: Interval {
        if case .normal(let scale) = distribution { scale } else { .zero }
    }
}

extension Scenario.LossModel {
    fileprivate var meanRate: Double {
        switch self {
        case .none: 0
        case .bernoulli(let rate), .gilbert(let rate, _), .correlated(let rate, _): rate.value
        }
    }

    /// Packets in a burst; correlated losses of share p follow one another with that probability.
    fileprivate var meanBurst: Double {
        switch self {
        case .none, .bernoulli: 1
        case .gilbert(_, let burst): max(1, burst)
        case .correlated(let rate, let correlation):
            1 / max(0.001, 1 - (correlation.value + (1 - correlation.value) * rate.value))
        }
    }
}
