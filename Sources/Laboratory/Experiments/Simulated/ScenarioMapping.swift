import LinkModel
import NetworkModel
import Scenarios
import Units

/// The words of the scenario language in the words of the simulated world.
extension NetworkModel.Topology {
    /// The links in scenario order, then one inside each region, as the network numbers them;
    /// generated rates follow from `seed`. The round-trip time of a link's two directions sets the size of
    /// queues that are given in bandwidth-delay products.
    init(_ scenario: Scenario, seed: UInt64) {
        let topology = scenario.topology
        let nodes = (0..<topology.nodeCount).map { topology.region(of: NodeID(UInt32($0))) }
        let links = topology.links.enumerated().map { index, link in
            let back = topology.link(from: link.to, to: link.from)?.path.delay ?? link.path.delay
            return DirectedLink(
                from: link.from,
                to: link.to,
                LinkParameters(
                    link.path,
                    roundTrip: link.path.delay + back,
                    in: scenario,
                    seed: seed,
                    index: UInt32(index)
                )
            )
        }
        let local = topology.regions.enumerated().map { index, region in
            DirectedLink(
                from: RegionID(UInt32(index)),
                to: RegionID(UInt32(index)),
                LinkParameters(
                    region.local,
                    roundTrip: region.local.delay * 2,
                    in: scenario,
                    seed: seed,
                    index: UInt32(topology.links.count + index)
                )
            )
        }
        self.init(regionCount: topology.regions.count, nodes: nodes, links: links + local)
        crossTraffic = scenario.crossTraffic.map(NetworkModel.CrossTraffic.init)
    }
}

extension LinkParameters {
    /// - Parameters:
    ///   - seed: with the link's `index`, draws a generated rate.
    init(
        _ path: Scenario.PathProperties,
        roundTrip: Interval,
        in scenario: Scenario,
        seed: UInt64,
        index: UInt32
    ) {
        func queueLimit(_ path: Scenario.PathProperties, _ roundTrip: Interval) -> ByteCount {
            path.queue.bytes(rate: path.rate, roundTrip: roundTrip)
        }
        var trace = path.trace
        if case .generated(let generator) = path.source {
            trace = generator.trace(seed: seed, entity: EntityID(.link, index))
        }
        self.init(
            rate: path.rate,
            trace: trace,
            propagation: path.delay,
            jitter: LinkModel.Jitter(path.jitter),
            loss: LinkModel.LossModel(path.loss),
            faults: path.faults,
            queueLimit: queueLimit(path, roundTrip),
            discipline: path.discipline,
            backgroundLoad: path.background,
            fidelity: scenario.isFluid(path, roundTrip: roundTrip) ? .fluid : .packet,
            rdma: path.rdma.map { RDMAParameters($0, limit: queueLimit(path, roundTrip)) }
        )
    }
}

extension RDMAParameters {
    /// - Parameter limit: of the queue at the end, beyond which it stops its senders.
    init(_ streams: Scenario.RDMAStreams, limit: ByteCount) {
        let pause = streams.resume.map { share in
            PriorityPause(
                stop: limit,
                resume: ByteCount(Int64(Double(limit.bytes) * share.value))
            )
        }
        self.init(mtu: streams.mtu, ring: streams.ring, pause: pause)
    }
}

extension LinkModel.Jitter {
    init(_ jitter: Scenario.Jitter) {
        switch jitter.distribution {
        case .none:
            self = .none
        case .uniform(let scale):
            self.init(.uniform, scale: scale, reorders: jitter.reorders)
        case .normal(let scale):
            self.init(.normal, scale: scale, reorders: jitter.reorders)
        case .lognormal(let scale, let sigma):
            self.init(.lognormal, scale: scale, shape: sigma, reorders: jitter.reorders)
        case .pareto(let scale, let shape):
            self.init(.pareto, scale: scale, shape: shape, reorders: jitter.reorders)
        }
    }
}

extension LinkModel.LossModel {
    init(_ loss: Scenario.LossModel) {
        switch loss {
        case .none: self = .none
        case .bernoulli(let rate): self = .bernoulli(rate)
        case .gilbert(let rate, let burst): self = .gilbert(rate: rate, burst: burst)
        case .correlated(let rate, let correlation):
            self = .correlated(rate: rate, correlation: correlation)
        }
    }
}
