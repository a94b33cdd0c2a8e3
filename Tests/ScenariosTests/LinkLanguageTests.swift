import LinkModel
import Scenarios
import Testing
import Units

/// The keys of links: rates that vary, queues, faults of packets.
@Suite struct LinkLanguageTests {
    static func text(_ link: String) -> String {
        """
        version: 1
        name: links
        topology:
          regions: {a: {nodes: 1}, b: {nodes: 1}}
          links:
            - {between: [a, b], rtt: 80 ms, \(link)}
        workload: {kind: bulk, duration: {measure: 10 s}}
        """
    }

    static func path(_ link: String) throws -> Scenario.PathProperties {
        let scenario = try ScenarioFile.parse(text(link), file: "links.yaml")
        // Whatever can be written is resolved into a file that means the same.
        let again = try ScenarioFile.parse(scenario.resolvedText, file: "resolved.yaml")
        #expect(again == scenario)
        #expect(again.digest == scenario.digest)
        return scenario.topology.links[0].path
    }

    /// Goal: each way to say a rate. Method: one link each.
    @Test func rates() throws {
        #expect(try Self.path("rate: 10 Mbit/s").rate == .megabits(10))
        let trace = try Self.path("rate: {trace: lte, ending: repeat}")
        #expect(trace.source == .trace(Scenario.TraceReference(name: "lte", ending: .repeat)))
        let markov = try Self.path(
            "rate: {generate: markov, rates: [10 Mbit/s, 30 Mbit/s], dwell: 2 s}"
        )
        #expect(markov.rate == .megabits(20))
        let wave = try Self.path("rate: {generate: diurnal, mean: 50 Mbit/s, amplitude: 30 %}")
        #expect(wave.rate == .megabits(50))
        let outages = try Self.path(
            "rate: {generate: outages, value: 8 Mbit/s, up: 30 s, down: 10 s, length: 1 h}"
        )
        #expect(outages.rate == .megabits(6))
    }

    /// Goal: each queue and fault. Method: one link each.
    @Test func queuesAndFaults() throws {
        let rate = "rate: 10 Mbit/s, "
        #expect(try Self.path(rate + "queue: {limit: 1 MiB}").discipline == .dropTail)
        #expect(
            try Self.path(rate + "queue: {kind: codel, ecn: true}").discipline
                == .coDel(ControlledDelay(marks: true))
        )
        #expect(
            try Self.path(rate + "queue: {kind: fq-codel, target: 10 ms, queues: 16}").discipline
                == .fairCoDel(
                    FairQueueing(queues: 16),
                    ControlledDelay(target: .milliseconds(10))
                )
        )
        #expect(try Self.path(rate + "queue: fq").discipline == .fair(FairQueueing()))
        let faults = try Self.path(
            rate + "duplicate: 0.5 %, corrupt: 0.1 %, reorder: {rate: 2 %, hold: 5 ms}, "
                + "loss: {model: bernoulli, rate: 5 %, correlation: 25 %}"
        )
        #expect(
            faults.faults
                == PacketFaults(
                    duplicate: .percent(0.5),
                    corrupt: .percent(0.1),
                    reorder: .percent(2),
                    hold: .milliseconds(5)
                )
        )
        #expect(faults.loss == .correlated(rate: .percent(5), correlation: .percent(25)))
    }

    /// Goal: streams over RDMA, with a queue that stops or one that drops. Method: one link each.
    @Test func streamsOverRDMA() throws {
        let rate = "rate: 25 Gbit/s, "
        #expect(try Self.path(rate + "streams: tcp").rdma == nil)
        let plain = try Self.path(rate + "streams: rdma, queue: pfc")
        #expect(
            plain.rdma
                == Scenario.RDMAStreams(mtu: 1024, ring: .mebibytes(1), resume: .percent(50))
        )
        #expect(plain.discipline == .dropTail)
        let full = try Self.path(
            rate + "streams: {over: rdma, mtu: 4096, ring: 256 KiB}, "
                + "queue: {kind: pfc, limit: 100 KiB, resume: 25 %}, corrupt: 0.1 %"
        )
        #expect(
            full.rdma
                == Scenario.RDMAStreams(mtu: 4096, ring: .kibibytes(256), resume: .percent(25))
        )
        #expect(full.queue == .bytes(.kibibytes(100)))
        #expect(full.payloadShare.text == "4096/4154")
        // A queue that drops makes sense too: what is lost is sent again.
        let lossy = try Self.path(rate + "streams: rdma, queue: {kind: droptail}")
        #expect(lossy.rdma != nil && lossy.rdma?.resume == nil)
        let scenario = try ScenarioFile.parse(
            Self.text(rate + "streams: rdma"),
            file: "links.yaml"
        )
        #expect(scenario.uncalibratedModels == ["RDMA link model is uncalibrated"])
    }

    /// Goal: queue pairs need both ways. Method: RDMA on one of two links.
    @Test func streamsOverRDMANeedBothWays() {
        let text = """
            version: 1
            name: links
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links:
                - {from: a, to: b, delay: 1 ms, rate: 1 Gbit/s, streams: rdma}
                - {from: b, to: a, delay: 1 ms, rate: 1 Gbit/s}
            workload: {kind: bulk, duration: {measure: 10 s}}
            """
        #expect(throws: (any Error).self) {
            try ScenarioFile.parse(text, file: "links.yaml")
        }
    }

    /// Goal: several transfers may end in one region that has a node for each. Method: with and
    /// without the node.
    @Test func transfersShareAReceivingRegion() throws {
        func text(_ nodes: Int) -> String {
            """
            version: 1
            name: incast
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}, c: {nodes: \(nodes)}}
              links:
                - {between: [a, c], rtt: 1 ms, rate: 1 Gbit/s}
                - {between: [b, c], rtt: 1 ms, rate: 1 Gbit/s}
            workload:
              {kind: bulk, from: a, to: c, duration: {measure: 1 s}, beside: [{from: b, to: c}]}
            """
        }
        _ = try ScenarioFile.parse(text(2), file: "incast.yaml")
        #expect(throws: (any Error).self) {
            try ScenarioFile.parse(text(1), file: "incast.yaml")
        }
    }

    /// Goal: an attached trace gives its mean and its content, which is part of the digest. Method:
    /// attach two traces of one name.
    @Test func attaching() throws {
        func attached(_ megabits: Int64) throws -> Scenario {
            var scenario = try ScenarioFile.parse(Self.text("rate: {trace: lte}"), file: "l.yaml")
            let trace = try RateTrace(
                .steps(starts: [0], rates: [megabits * 1_000_000]),
                ending: .repeat,
                length: .seconds(1)
            )
            scenario.attachTraces { _ in trace }
            return scenario
        }
        let slow = try attached(5)
        #expect(slow.topology.links[0].path.rate == .megabits(5))
        #expect(slow.digest != (try attached(6)).digest)
        #expect(slow.digest == (try attached(5)).digest)
    }

    /// Goal: what makes no sense is refused where it stands. Method: one mistake each.
    @Test(arguments: [
        "rate: {rates: [1 Mbit/s]}",
        "rate: {generate: markov, dwell: 1 s}",
        "rate: {generate: diurnal, mean: 1 Mbit/s, step: 1 us, length: 24 h}",
        "rate: {generate: outages, value: 1 Mbit/s, up: 1 s, down: 1 s, length: 5000 h, ending: x}",
        "rate: {trace: lte, ending: never}",
        "rate: 1 Mbit/s, queue: {kind: red}",
        "rate: 1 Mbit/s, queue: {kind: fq, queues: 0}",
        "rate: 1 Mbit/s, reorder: {rate: 2 %}",
        "rate: 1 Mbit/s, corrupt: 101 %",
        "rate: 1 Gbit/s, queue: pfc",
        "rate: 1 Gbit/s, streams: {over: rdma, mtu: 1500}",
        "rate: 1 Gbit/s, streams: {over: rdma, ring: 1 KiB}",
        "rate: 1 Gbit/s, streams: {over: tcp, mtu: 1024}",
        "rate: 1 Gbit/s, streams: rdma, queue: codel",
        "rate: 1 Gbit/s, streams: rdma, duplicate: 1 %",
        "rate: 1 Gbit/s, streams: rdma, jitter: {distribution: uniform, scale: 1 ms}",
        "rate: 1 Gbit/s, streams: rdma, fidelity: fluid",
        "rate: {trace: lte}, streams: rdma",
    ])
    func refusals(_ link: String) {
        #expect(throws: (any Error).self) {
            try ScenarioFile.parse(Self.text(link), file: "links.yaml")
        }
    }
}
