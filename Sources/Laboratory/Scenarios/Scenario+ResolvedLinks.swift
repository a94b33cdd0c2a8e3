import LinkModel
import Units

/// Paths with every default written out.
extension Scenario {
    static func write(_ path: PathProperties, into yaml: inout YAMLText) {
        yaml.field("delay", path.delay)
        writeRate(path, into: &yaml)
        yaml.mapping("jitter") { write(path.jitter, into: &$0) }
        yaml.mapping("loss") { write(path.loss, into: &$0) }
        writeQueue(path, into: &yaml)
        // Where they are zero they are left out, so that older digests stay as they are.
        if path.faults.duplicate > .zero {
            yaml.field("duplicate", QuantityText.percentText(path.faults.duplicate))
        }
        if path.faults.corrupt > .zero {
            yaml.field("corrupt", QuantityText.percentText(path.faults.corrupt))
        }
        if path.faults.hold > .zero {
            yaml.mapping("reorder") { yaml in
                yaml.field("rate", QuantityText.percentText(path.faults.reorder))
                yaml.field("hold", path.faults.hold)
            }
        }
        yaml.field("background", QuantityText.percentText(path.background))
        yaml.field("fidelity", path.fidelity.rawValue)
        if let rdma = path.rdma {
            yaml.mapping("streams") { yaml in
                yaml.field("over", "rdma")
                yaml.field("mtu", rdma.mtu)
                yaml.field("ring", rdma.ring)
            }
        }
    }

    static func write(_ jitter: Jitter, into yaml: inout YAMLText) {
        switch jitter.distribution {
        case .none:
            yaml.field("distribution", "none")
            return
        case .uniform(let scale):
            yaml.field("distribution", "uniform")
            yaml.field("scale", scale)
        case .normal(let scale):
            yaml.field("distribution", "normal")
            yaml.field("scale", scale)
        case .lognormal(let scale, let sigma):
            yaml.field("distribution", "lognormal")
            yaml.field("scale", scale)
            yaml.field("sigma", QuantityText.numberText(sigma))
        case .pareto(let scale, let shape):
            yaml.field("distribution", "pareto")
            yaml.field("scale", scale)
            yaml.field("shape", QuantityText.numberText(shape))
        }
        yaml.field("reorder", jitter.reorders)
    }

    static func write(_ loss: LossModel, into yaml: inout YAMLText) {
        switch loss {
        case .none:
            yaml.field("model", "none")
        case .bernoulli(let rate):
            yaml.field("model", "bernoulli")
            yaml.field("rate", QuantityText.percentText(rate))
        case .correlated(let rate, let correlation):
            yaml.field("model", "bernoulli")
            yaml.field("rate", QuantityText.percentText(rate))
            yaml.field("correlation", QuantityText.percentText(correlation))
        case .gilbert(let rate, let burst):
            yaml.field("model", "gilbert")
            yaml.field("rate", QuantityText.percentText(rate))
            yaml.field("burst", QuantityText.numberText(burst))
        }
    }

    private static func writeRate(_ path: PathProperties, into yaml: inout YAMLText) {
        switch path.source {
        case .fixed:
            yaml.field("rate", path.rate)
        case .trace(let reference):
            yaml.mapping("rate") { yaml in
                yaml.quoted("trace", reference.name)
                yaml.field("ending", reference.ending.rawValue)
                if let digest = reference.digest { yaml.quoted("digest", digest) }
            }
        case .generated(let generator):
            yaml.mapping("rate") { write(generator, into: &$0) }
        }
    }

    private static func write(_ generator: RateGenerator, into yaml: inout YAMLText) {
        switch generator {
        case .markov(let rates, let dwell, let length):
            yaml.field("generate", "markov")
            yaml.names("rates", rates.map(\.description))
            yaml.field("dwell", dwell)
            yaml.field("length", length)
        case .diurnal(let wave, let length):
            yaml.field("generate", "diurnal")
            yaml.field("mean", wave.mean)
            yaml.field("amplitude", QuantityText.percentText(wave.amplitude))
            yaml.field("period", wave.period)
            yaml.field("deviation", QuantityText.percentText(wave.deviation))
            yaml.field("correlation", QuantityText.percentText(wave.correlation))
            yaml.field("step", wave.step)
            yaml.field("length", length)
        case .outages(let rate, let up, let down, let length):
            yaml.field("generate", "outages")
            yaml.field("value", rate)
            yaml.field("up", up)
            yaml.field("down", down)
            yaml.field("length", length)
        }
    }

    private static func writeQueue(_ path: PathProperties, into yaml: inout YAMLText) {
        yaml.mapping("queue") { yaml in
            switch path.discipline {
            case .dropTail: yaml.field("kind", path.rdma?.resume == nil ? "droptail" : "pfc")
            case .coDel: yaml.field("kind", "codel")
            case .fairCoDel: yaml.field("kind", "fq-codel")
            case .fair: yaml.field("kind", "fq")
            }
            switch path.queue {
            case .bandwidthDelayProducts(let factor):
                yaml.field("limit", "\(QuantityText.numberText(factor)) BDP")
            case .bytes(let count):
                yaml.field("limit", count)
            case .time(let interval):
                yaml.field("limit", interval)
            }
            if let resume = path.rdma?.resume {
                yaml.field("resume", QuantityText.percentText(resume))
            }
            switch path.discipline {
            case .dropTail: break
            case .coDel(let delay): write(delay, into: &yaml)
            case .fairCoDel(let fairness, let delay):
                write(delay, into: &yaml)
                write(fairness, into: &yaml)
            case .fair(let fairness): write(fairness, into: &yaml)
            }
        }
    }

    private static func write(_ delay: ControlledDelay, into yaml: inout YAMLText) {
        yaml.field("target", delay.target)
        yaml.field("interval", delay.interval)
        yaml.field("ecn", delay.marks)
    }

    private static func write(_ fairness: FairQueueing, into yaml: inout YAMLText) {
        yaml.field("quantum", fairness.quantum)
        yaml.field("queues", fairness.queues)
    }
}
