import LinkModel
import Units

extension ScenarioBuilder {
    mutating func path(_ record: CheckedRecord, delay: Interval) -> Scenario.PathProperties {
        let (rate, source) = rate(record.record("rate"))
        let queue = record.record("queue")
        let path = Scenario.PathProperties(
            delay: delay,
            jitter: jitter(record.record("jitter"), delay: delay),
            rate: rate,
            source: source,
            loss: loss(record.record("loss")),
            faults: PacketFaults(
                duplicate: record.share("duplicate"),
                corrupt: record.share("corrupt"),
                reorder: record["reorder"]?.record.share("rate") ?? .zero,
                hold: record["reorder"]?.record.interval("hold") ?? .zero
            ),
            queue: queue.queueLimit("limit"),
            discipline: discipline(queue),
            background: record.share("background"),
            fidelity: record.text("fidelity").flatMap(Scenario.Fidelity.init) ?? .packet,
            rdma: rdma(record.record("streams"), queue)
        )
        check(path, record, queue)
        if path.fidelity == .fluid, !path.suitsFluid, let value = record["fidelity"] {
            add(
                .conflict,
                value,
                "a fluid knows no varying rate, no queue but droptail, and no faults of packets",
                expected: "fidelity: packet or auto"
            )
        }
        return path
    }

    private mutating func rdma(
        _ record: CheckedRecord,
        _ queue: CheckedRecord
    ) -> Scenario.RDMAStreams? {
        guard record.word == "rdma" else { return nil }
        let mtu = record.integer("mtu")
        if !RDMAParameters.possibleMTUs.contains(mtu) {
            let words = RDMAParameters.possibleMTUs.map(String.init).joined(separator: ", ")
            add(.outOfRange, record, "a path MTU of \(mtu) bytes", expected: words)
        }
        return Scenario.RDMAStreams(
            mtu: mtu,
            ring: record.size("ring"),
            resume: queue.word == "pfc" ? queue.share("resume") : nil
        )
    }

    /// What streams over RDMA do not know, and a queue that nobody would stop for.
    private mutating func check(
        _ path: Scenario.PathProperties,
        _ record: CheckedRecord,
        _ queue: CheckedRecord
    ) {
        if path.rdma == nil, queue.word == "pfc" {
            add(
                .conflict,
                queue,
                "nothing on this path stops when a pfc queue asks for it",
                expected: "streams: rdma, or another queue"
            )
        }
        if path.rdma != nil, !path.suitsRDMA {
            add(
                .conflict,
                record.record("streams"),
                "streams over RDMA know no varying rate, no jitter, no packets that are repeated or "
                    + "overtaken, no fluids and no queue but pfc and droptail",
                expected: "streams: tcp, or a path without these"
            )
        }
    }

    /// The rate that is known now, and where it comes from. A trace's is known when it is attached.
    private mutating func rate(_ record: CheckedRecord) -> (BitRate, Scenario.RateSource) {
        let length = record.interval("length")
        let generator: RateGenerator
        switch record.word {
        case "trace":
            let reference = Scenario.TraceReference(
                name: record.text("trace") ?? "",
                ending: record.text("ending").flatMap(RateTrace.Ending.init) ?? .repeat,
                digest: record.text("digest")
            )
            return (.megabits(1), .trace(reference))
        case "markov":
            let rates = record.list("rates").compactMap { value -> BitRate? in
                guard case .scalar(.rate(let rate)) = value.content else { return nil }
                return rate
            }
            generator = .markov(rates: rates, dwell: record.interval("dwell"), length: length)
        case "diurnal":
            generator = .diurnal(
                RateGenerator.Diurnal(
                    mean: record.rate("mean"),
                    amplitude: record.share("amplitude"),
                    period: record.interval("period"),
                    deviation: record.share("deviation"),
                    correlation: record.share("correlation"),
                    step: record.interval("step")
                ),
                length: length
            )
        case "outages":
            generator = .outages(
                rate: record.rate("value"),
                up: record.interval("up"),
                down: record.interval("down"),
                length: length
            )
        default:
            return (record.rate("value"), .fixed)
        }
        check(generator, length: length, record)
        return (generator.mean, .generated(generator))
    }

    /// What makes a trace at all, and one that fits memory.
    private mutating func check(
        _ generator: RateGenerator,
        length: Interval,
        _ record: CheckedRecord
    ) {
        let steps = generator.expectedSteps
        if steps > Double(RateGenerator.stepLimit) / 4 {
            add(
                .limit,
                record,
                "the generated rate changes about \(Int(min(steps, 1e18))) times",
                expected: "at most \(RateGenerator.stepLimit / 4) changes in its length"
            )
        }
        if length < .milliseconds(1) || length > RateTrace.lengthLimit {
            add(
                .outOfRange,
                record,
                "the generated rate is \(length) long",
                expected: "1 ms to \(RateTrace.lengthLimit)"
            )
        }
    }

    private func discipline(_ record: CheckedRecord) -> QueueDiscipline {
        let delay = ControlledDelay(
            target: record.optionalInterval("target") ?? .milliseconds(5),
            interval: record.optionalInterval("interval") ?? .milliseconds(100),
            marks: record.flag("ecn")
        )
        let fairness = FairQueueing(
            quantum: record.optionalInteger("quantum") ?? 1514,
            queues: record.optionalInteger("queues") ?? 1024
        )
        return switch record.word {
        case "codel": .coDel(delay)
        case "fq-codel": .fairCoDel(fairness, delay)
        case "fq": .fair(fairness)
        default: .dropTail
        }
    }
}
