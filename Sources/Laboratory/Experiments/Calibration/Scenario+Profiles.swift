import LinkModel
public import Measurements
public import Scenarios
import Transport
import Units

extension Scenario {
    /// What the transfers of each variant may meet; empty where no TCP carries anything.
    ///
    /// With `streams: auto` the transport's starting number stands for the flows, and with
    /// `congestion: auto` there is a case for each control that may be chosen. What a swarm may
    /// draw counts with its ends, and what faults do to links while they last with the most that they do
    /// together. Of both ways the one that loses or varies more counts. Background load leaves a link
    /// of a lower rate with the same queue, which is what packets see of it.
    ///
    /// At most ``caseLimit``; with as many, some are missing.
    public var linkCases: [LinkCase] {
        let paths = tcpPaths
        let variants = variants.map { ($0.name, possibleTransports(of: $0)) }
        var cases: [LinkCase] = []
        var known: Set<LinkCase> = []
        for topology in extremeTopologies {
            for (variant, transports) in variants {
                for path in paths {
                    let name = paths.count > 1 ? "\(variant) over \(path.name)" : variant
                    let links = PathLinks(path, in: topology)
                    for transport in transports {
                        let starts = links.starts(of: transport, variant, name)
                        let faulty = strikes(on: path, links).flatMap { strike in
                            starts.flatMap { strike.cases(of: $0) }
                        }
                        cases += (starts + faulty).filter { known.insert($0).inserted }
                        if cases.count >= Scenario.caseLimit { return Scenario.sorted(cases) }
                    }
                }
            }
        }
        return Scenario.sorted(cases)
    }

    /// What faults, draws and variants may make of links, as far as it is compared with a calibration.
    public static let caseLimit = 200_000

    /// What holds without faults is said first.
    private static func sorted(_ cases: [LinkCase]) -> [LinkCase] {
        let all = cases.prefix(caseLimit)
        return all.filter { $0.circumstance == nil } + all.filter { $0.circumstance != nil }
    }

    /// What the paths of the transfers have that no calibration covers, whatever its figures are.
    public var uncalibratedFeatures: [String] {
        var features: [String] = []
        for topology in extremeTopologies {
            for path in tcpPaths {
                let links = PathLinks(path, in: topology)
                for feature in uncalibratedFeatures(of: links) + uncalibratedFaults(on: path)
                where !features.contains(feature) {
                    features.append(feature)
                }
            }
        }
        return features
    }

    private func uncalibratedFeatures(of links: PathLinks) -> [String] {
        var features: [String] = []
        for properties in [links.there, links.back] {
            if properties.source != .fixed { features.append("a rate that varies") }
            if properties.faults != .none {
                features.append("packets that are spoiled, repeated or reordered")
            }
            if properties.discipline != .dropTail {
                features.append("another queue than drop-tail")
            }
            if properties.jitter.isUncalibrated {
                features.append("another delay variation than a normal one in order")
            }
            if isFluid(properties, roundTrip: links.roundTrip) {
                features.append("connections as fluids")
            }
        }
        let (from, to) = (links.path.from, links.path.to)
        if !(crossTraffic(from: from, to: to) + crossTraffic(from: to, to: from)).isEmpty {
            features.append("flows of others")
        }
        return features
    }

    /// The paths that the workload's streams take.
    var tcpPaths: [TCPPath] {
        func path(_ from: RegionID, _ to: RegionID, sharedBy count: Int = 1) -> TCPPath {
            let region = topology.regions[Int(from.rawValue)].name
            let name = topology.link(from: from, to: to)?.name ?? region
            return TCPPath(name: name, from: from, to: to, transfers: count)
        }
        switch workload {
        case .bulk(let bulk):
            let all = bulk.transfers.map { LinkEnds(from: $0.from, to: $0.to) }
            return all.indices.filter { !all[..<$0].contains(all[$0]) }.map { index in
                path(all[index].from, all[index].to, sharedBy: all.count { $0 == all[index] })
            }
        case .transfer(let transfer): return [path(transfer.from, transfer.to)]
        case .migration(let migration):
            let ends = workload.ends
            return [path(ends.first, ends.second, sharedBy: migration.concurrency)]
        case .echo, .boot, .requests: return []
        }
    }
}

/// A path that transfers take, and how many of them share it.
struct TCPPath {
    let name: String
    let from: RegionID
    let to: RegionID
    let transfers: Int
}

/// A path with the links of both its ways.
struct PathLinks {
    let path: TCPPath
    /// That of the data.
    let there: Scenario.PathProperties
    /// That of the acknowledgements.
    let back: Scenario.PathProperties
    let roundTrip: Interval
    private let estimate: LinkEstimate

    init(_ path: TCPPath, in topology: Scenario.Topology) {
        self.path = path
        there = topology.bottleneck(from: path.from, to: path.to)
        back = topology.link(from: path.to, to: path.from)?.path ?? there
        roundTrip = topology.roundTrip(from: path.from, to: path.to)
        estimate = topology.estimate(from: path.from, to: path.to)
    }

    /// What transfers meet that start so, without any fault.
    func starts(
        of transport: Scenario.SystemConfiguration.Transport,
        _ variant: String,
        _ name: String
    ) -> [LinkCase] {
        let controls = transport.possibleControls
        return controls.map { congestion in
            var transport = transport
            transport.congestion = congestion
            let configuration = TransportConfiguration(transport, link: estimate)
            let profile = LinkProfile(
                bitsPerSecond: Double(estimate.rate.bitsPerSecond),
                roundTripSeconds: roundTrip.seconds,
                jitterSeconds: max(there.jitter.normalSeconds, back.jitter.normalSeconds),
                loss: max(there.loss.meanRate, back.loss.meanRate),
                lossBurst: max(there.loss.meanBurst, back.loss.meanBurst),
                queueBytes: Double(there.queue.bytes(rate: there.rate, roundTrip: roundTrip).bytes),
                flows: configuration.streams * path.transfers,
                congestion: congestion.rawValue
            )
            let choice = LinkCase.StreamChoice(
                variant: variant,
                link: path.name,
                transfers: path.transfers,
                choosesControl: controls.count > 1
            )
            return LinkCase(
                name,
                profile,
                choice: transport.streams == .automatic ? choice : nil
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
    var normalSeconds: Double {
        if case .normal(let scale) = distribution { scale.seconds } else { 0 }
    }

    /// Only a normal variation in order was measured.
    var isUncalibrated: Bool {
        switch distribution {
        case .none: false
        case .normal: reorders
        case .uniform, .lognormal, .pareto: true
        }
    }
}

extension Scenario.LossModel {
    var meanRate: Double {
        switch self {
        case .none: 0
        case .bernoulli(let rate), .gilbert(let rate, _), .correlated(let rate, _): rate.value
        }
    }

    /// Packets in a burst; correlated losses of share p follow one another with that probability.
    var meanBurst: Double {
        switch self {
        case .none, .bernoulli: 1
        case .gilbert(_, let burst): max(1, burst)
        case .correlated(let rate, let correlation):
            1 / max(0.001, 1 - (correlation.value + (1 - correlation.value) * rate.value))
        }
    }
}
