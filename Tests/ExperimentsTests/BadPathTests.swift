import Experiments
import HardwareModel
import Machines
import Measurements
import Scenarios
import Testing
import Units

/// Goal: a path that goes bad in a way that nobody is told of ends a transfer with a typed error
/// within its limits, or not at all when it becomes whole in time; and a change of its kind is
/// noticed without loss. A pace that a file asks for is kept.
/// Method: whole simulated runs over the model's TCP, with faults of the scenario language.
@Suite struct BadPathTests {
    private func run(
        _ faults: String,
        transport: String = "{streams: 4}",
        measure: String = "170 s",
        rtt: String = "20 ms"
    ) throws -> RunRecord {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: bad-path
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links:
                - between: [a, b]
                  rtt: \(rtt)
                  rate: 10 Mbit/s
                  queue: {kind: droptail, limit: 32 KiB}
            workload: {kind: bulk, duration: {warmup: 2 s, measure: \(measure)}}
            system: {transport: \(transport)}
            faults: [\(faults)]

            """,
            file: "bad-path.yaml"
        )
        let profile = HardwareProfile(
            name: "test",
            measured: HardwareProfile.Provenance(machine: "none", date: "2026-01-01", method: "-"),
            cores: 1,
            speeds: HardwareProfile.Speeds { _ in 1000 },
            disk: HardwareProfile.Disk(write: 100, fsync: .milliseconds(1))
        )
        let setting = ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: 1,
            profile: profile,
            dataSet: nil
        )
        return Replication.simulated(setting, commit: "abc", isCancelled: { false })
    }

    // Each of two streams sends at its own pace, on a path that has room for ten times as much.
    @Test func pacedStreamsKeepToTheirRate() throws {
        let record = try run(
            "",
            transport: "{streams: 2, pacing: 500 kbit/s}",
            measure: "100 s"
        )
        #expect(identity(record)?.violationCount == 0)
        let goodput = try #require(record.metrics.first { $0.metric == "goodput" }?.value)
        // Headers take 4.4 %; what waits for a chunk's end moves a little in or out of the measured part.
        #expect((0.94e6...0.97e6).contains(goodput))
    }

    private func identity(_ record: RunRecord) -> InvariantOutcome? {
        record.invariants.first { $0.name == "transfer-identical" }
    }

    // Nothing is answered any more, or only what is small: TCP gives up after a minute, the transport
    // opens other streams, and its own limits end the transfer.
    @Test(
        arguments: [
            "{kind: net.mtu-black-hole, at: 5 s}",
            "{kind: net.mtu-black-hole, at: 5 s, direction: outbound, select: {region: a}}",
            "{kind: net.partition, mode: halves, at: 5 s}",
            "{kind: net.down, at: 5 s, direction: inbound, select: {region: a}}",
        ]
    )
    func aPathThatStaysBadIsATypedFailure(fault: String) throws {
        let record = try run(fault)
        guard case .failed(let message) = record.outcome else {
            Issue.record("\(record.outcome)")
            return
        }
        #expect(message.contains("noProgress") || message.contains("unreachable"), "\(message)")
        // 120 s without an acknowledgement, after five that were good.
        #expect(record.simulatedSeconds < 5 + 125)
        #expect(identity(record)?.violationCount == 0)
        #expect((identity(record)?.checked ?? 0) > 10)
    }

    @Test(
        arguments: [
            "{kind: net.mtu-black-hole, at: 5 s, for: 30 s}",
            "{kind: net.partition, mode: halves, at: 5 s, for: 30 s}",
        ]
    )
    func aPathThatBecomesWholeGoesOn(fault: String) throws {
        let record = try run(fault, measure: "88 s")
        #expect(record.outcome == .completed)
        #expect(identity(record)?.violationCount == 0)
        // Half a minute of ninety seconds is lost, and what TCP's back-off adds to it.
        let goodput = record.value(of: "goodput")?.value ?? 0
        #expect(goodput > 3e6 && goodput < 7e6)
    }

    // From a data centre to the other side of the world and back.
    @Test func aPathOfAnotherKindIsFollowedWithoutLoss() throws {
        let record = try run(
            "{kind: net.delay, at: 8 s, for: 10 s, delay: 80 ms}",
            transport: "{streams: auto, congestion: auto, mode: auto}",
            measure: "26 s",
            rtt: "1 ms"
        )
        #expect(record.outcome == .completed)
        #expect(identity(record)?.violationCount == 0)
        let changes = record.value(of: "mode-changes")?.value ?? 0
        #expect(changes >= 1 && changes <= 6)
        let mode = record.facts.first { $0.key == "mode" }?.value ?? ""
        #expect(mode.contains("internet at "), "\(mode)")
        // Where no mode is configured there is none.
        let plain = try run("", measure: "2 s")
        #expect(plain.value(of: "mode-changes") == nil)
        #expect(!plain.facts.contains { $0.key == "mode" })
    }
}
