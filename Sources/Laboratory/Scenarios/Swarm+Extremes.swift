import Units

extension Scenario {
    /// The topologies at the ends of what a swarm draws for links, and halfway between; without a
    /// swarm, the topology itself. At most eighteen.
    ///
    /// The middle is there for what follows from delay and rate without growing with either, as the
    /// starting number of streams does.
    public var extremeTopologies: [Topology] {
        guard let swarm, drawing == nil else { return [topology] }
        let losses: [Ratio?] = swarm.loss.map { [$0.lowerBound, $0.upperBound] } ?? [nil]
        var topologies: [Topology] = []
        for delay in swarm.delay.endsAndMiddle {
            for rate in swarm.rate.endsAndMiddle {
                for loss in losses {
                    let varied = topology.varied(delay: delay, rate: rate, loss: loss)
                    if !topologies.contains(varied) { topologies.append(varied) }
                }
            }
        }
        return topologies
    }

    /// What seeds may make of a variant's `transport`, by the knobs of a swarm; without knobs, only what
    /// it is. Beyond ``mostTransports`` a knob's options are not combined with those of all others.
    public func possibleTransports(of variant: Variant) -> [SystemConfiguration.Transport] {
        var systems = [variant.system]
        for knob in drawing == nil ? swarm?.knobs ?? [] : [] where !knob.options.isEmpty {
            let isTooMuch = systems.count * knob.options.count > Scenario.mostTransports
            let bases = isTooMuch ? [variant.system] : systems
            var patched = isTooMuch ? systems : []
            for base in bases {
                for option in knob.options {
                    // Only the transport is asked for, so whatever else it patches stays.
                    var system = variant.system
                    system.transport = base.patched(with: [option]).transport
                    if !patched.contains(system) { patched.append(system) }
                }
            }
            systems = patched
        }
        return systems.map(\.transport)
    }

    private static let mostTransports = 256
}

extension Scenario.Topology {
    fileprivate func varied(delay: Double, rate: Double, loss: Ratio?) -> Scenario.Topology {
        var topology = self
        for index in links.indices {
            topology.links[index].path.vary(delay: delay, rate: rate, loss: loss)
        }
        for index in regions.indices {
            topology.regions[index].local.vary(delay: delay, rate: rate, loss: loss)
        }
        return topology
    }
}

extension Scenario.PathProperties {
    /// - Parameters:
    ///   - delay: A factor, as `rate` is; a rate that varies by itself has none.
    ///   - loss: In place of its own, each packet on its own; `nil` leaves it.
    mutating func vary(delay delayFactor: Double, rate rateFactor: Double, loss share: Ratio?) {
        if delayFactor != 1 { delay = delay.scaled(by: delayFactor) }
        if rateFactor != 1, source == .fixed {
            let bits = (Double(rate.bitsPerSecond) * rateFactor).rounded()
            rate = BitRate(bitsPerSecond: max(1, Int64(bits)))
        }
        if let share { loss = share > .zero ? .bernoulli(rate: share) : .none }
    }
}

extension ClosedRange<Double> {
    /// Factors, so the middle is that of a logarithmic scale.
    fileprivate var endsAndMiddle: [Double] {
        lowerBound == upperBound
            ? [lowerBound] : [lowerBound, (lowerBound * upperBound).squareRoot(), upperBound]
    }
}
