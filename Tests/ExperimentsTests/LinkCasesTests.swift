import Experiments
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: whatever moves a link while a campaign runs counts for the calibration envelope: faults,
/// what seeds draw, background load and the way back.
/// Method: one calibrated link with each of them, held against cells that the laboratory's own grid
/// describes, and the shipped scenarios that are inside.
@Suite struct LinkCasesTests {
    /// A calibration of the whole grid without any error.
    private static let calibration: Calibration = {
        let figures = CalibrationCell.Figures(
            throughput: 1e7,
            roundTripMilliseconds: 50,
            replications: 1
        )
        return Calibration(
            measuredAt: "2026-12-01T00:00:00Z",
            kernel: "6.18",
            commit: "abc",
            isQuick: false,
            cells: CalibrationGrid(isQuick: false).profiles.map {
                CalibrationCell(
                    profile: $0,
                    simulated: figures,
                    real: figures,
                    delayErrorMilliseconds: 0.1
                )
            }
        )
    }()

    private static let usual = "rate: 100 Mbit/s, queue: {kind: droptail, limit: 1 BDP}"

    private static func scenario(
        links: String = "{between: [a, b], rtt: 80 ms, \(usual)}",
        streams: String = "8",
        _ more: String = ""
    ) throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: cases
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [\(links)]
            workload: {kind: bulk, from: a, to: b, duration: {warmup: 5 s, measure: 55 s}}
            system: {transport: {congestion: cubic, streams: \(streams)}}
            \(more)

            """,
            file: "cases.yaml"
        )
    }

    private static func finding(_ scenario: Scenario) -> EnvelopeFinding {
        EnvelopeFinding(
            scenario.linkCases,
            features: scenario.uncalibratedFeatures,
            in: calibration,
            isIgnored: false
        )
    }

    private static func reasons(faults: String, links: String? = nil) throws -> [String] {
        let more = "faults: [\(faults)]"
        let made =
            if let links { try scenario(links: links, more) } else { try scenario(more) }
        return finding(made).reasons
    }

    @Test func theLinkItselfIsInside() throws {
        #expect(Self.finding(try Self.scenario()).place == .inside)
    }

    @Test(arguments: [
        ("{kind: net.loss, at: 9 s, for: 5 s, loss: {model: bernoulli, rate: 20 %}}", "loss per"),
        (
            "{kind: net.loss, at: 9 s, for: 5 s, loss: {model: gilbert, rate: 1 %, burst: 9}}",
            "burst"
        ),
        ("{kind: net.delay, at: 9 s, for: 5 s, delay: 200 ms}", "bandwidth-delay"),
        (
            "{kind: net.jitter, at: 9 s, for: 5 s, jitter: {distribution: normal, scale: 40 ms}}",
            "jitter"
        ), ("{kind: net.bandwidth, at: 9 s, for: 5 s, share: 5 %}", "rate 5 Mbit/s"),
        ("{kind: net.bufferbloat, at: 9 s, for: 5 s, factor: 50}", "queue 50 products"),
        ("{kind: net.route-change, at: 9 s, for: 5 s, delay: 200 ms, outage: 1 s}", "bandwidth-"),
    ])
    func aFaultThatMovesTheLinkOutIsTheReason(_ fault: String, _ axis: String) throws {
        let reasons = try Self.reasons(faults: fault)
        let kind = try #require(fault.split(separator: ",").first?.dropFirst("{kind: ".count))
        #expect(reasons.count == 1, "\(reasons)")
        #expect(reasons.first?.hasPrefix("default during \(kind): \(axis)") == true, "\(reasons)")
    }

    @Test(arguments: [
        "{kind: net.loss, at: 9 s, for: 5 s, loss: {model: bernoulli, rate: 1 %}}",
        "{kind: net.delay, at: 9 s, for: 5 s, delay: 20 ms}",
        "{kind: net.bandwidth, at: 9 s, for: 5 s, share: 50 %}",
        "{kind: net.down, at: 9 s, for: 1 s}", "{kind: net.flap, at: 9 s, for: 5 s, period: 1 s}",
        "{kind: net.partition, at: 9 s, for: 1 s, mode: halves, select: {region: a}}",
        "{kind: node.crash, at: 9 s, for: 1 s, select: {region: a}}",
        // These never meet, and each alone is inside.
        """
        {kind: net.delay, at: 9 s, for: 5 s, delay: 35 ms}, \
        {kind: net.delay, at: 20 s, for: 5 s, delay: 35 ms}
        """,
        // One is over when the other begins.
        """
        {kind: net.delay, at: 9 s, for: 5 s, delay: 35 ms}, \
        {kind: net.delay, at: 14 s, for: 5 s, delay: 35 ms}
        """,
        // The next of a rule is left out while one lasts.
        "{kind: net.delay, every: 1 s, for: 5 s, delay: 30 ms}",
    ])
    func othersLeaveItInside(_ faults: String) throws {
        #expect(try Self.reasons(faults: faults) == [])
    }

    @Test func faultsThatMeetCountTogether() throws {
        let reasons = try Self.reasons(
            faults: """
                {kind: net.delay, at: 9 s, for: 5 s, delay: 35 ms}, \
                {kind: net.delay, at: 11 s, for: 5 s, delay: 35 ms}
                """
        )
        #expect(reasons.first?.hasPrefix("default during net.delay: queue") == true, "\(reasons)")
    }

    @Test(arguments: [
        ("net.corrupt", "rate: 1 %"), ("net.duplicate", "rate: 1 %"),
        ("net.reorder", "rate: 1 %, hold: 5 ms"), ("net.mtu-black-hole", "limit: 1400 B"),
        ("net.jitter", "jitter: {distribution: uniform, scale: 1 ms}"),
    ])
    func aKindThatWasNeverCalibratedIsNamed(_ kind: String, _ more: String) throws {
        let reasons = try Self.reasons(faults: "{kind: \(kind), at: 9 s, for: 5 s, \(more)}")
        #expect(reasons == ["the path has the fault \(kind), which is not calibrated"])
    }

    @Test func aFaultOfAnotherLinkIsNone() throws {
        let links = """
            {between: [a, b], rtt: 80 ms, \(Self.usual)}, \
            {between: [c, d], name: other, rtt: 80 ms, \(Self.usual)}
            """
        var scenario = try Self.scenario("faults: [{kind: net.corrupt, at: 9 s, rate: 1 %}]")
        #expect(!scenario.uncalibratedFeatures.isEmpty)
        scenario = try ScenarioFile.parse(
            """
            version: 1
            name: cases
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}, c: {nodes: 1}, d: {nodes: 1}}
              links: [\(links)]
            workload: {kind: bulk, from: a, to: b, duration: {warmup: 5 s, measure: 55 s}}
            system: {transport: {congestion: cubic, streams: 8}}
            faults: [{kind: net.corrupt, at: 9 s, rate: 1 %, select: {link: other}}]

            """,
            file: "cases.yaml"
        )
        #expect(Self.finding(scenario).place == .inside)
    }

    @Test(arguments: [
        ("delay: 0.5..2", ""), ("delay: 0.5..8", "bandwidth-delay product"),
        ("rate: 0.5..2", ""), ("rate: 0.5..4", "rate 400 Mbit/s"),
        ("rate: 0.05..1", "rate 5 Mbit/s"), ("loss: 0 %..1 %", ""),
        ("loss: 0 %..10 %", "loss per product"),
        ("knobs: {streams: [{transport: {streams: 1}}, {transport: {streams: 200}}]}", "flows 200"),
        ("knobs: {control: [{transport: {congestion: newreno}}]}", "newreno was not calibrated"),
    ])
    func theEndsOfWhatSeedsDrawCount(_ swarm: String, _ reason: String) throws {
        let reasons = Self.finding(try Self.scenario("swarm: {\(swarm)}")).reasons
        if reason.isEmpty {
            #expect(reasons == [])
        } else {
            #expect(reasons.count == 1, "\(reasons)")
            #expect(reasons.first?.hasPrefix("default: \(reason)") == true, "\(reasons)")
        }
    }

    @Test func backgroundLoadLeavesALowerRateWithTheSameQueue() throws {
        let link = "{between: [a, b], rtt: 80 ms, \(Self.usual), background: 50 %}"
        let profile = try #require(try Self.scenario(links: link).linkCases.first?.profile)
        #expect(profile.bitsPerSecond == 50e6)
        #expect(profile.queueBytes == 1e6)
        #expect(profile.queuePerProduct == 2)
        let full = "{between: [a, b], rtt: 80 ms, \(Self.usual), background: 95 %}"
        let reasons = Self.finding(try Self.scenario(links: full)).reasons
        #expect(reasons.first?.contains("rate 5 Mbit/s") == true, "\(reasons)")
    }

    @Test func theWorseOfBothWaysCounts() throws {
        func reasons(_ there: String, _ back: String) throws -> [String] {
            let links = """
                {from: a, to: b, delay: 40 ms, \(Self.usual)\(there)}, \
                {from: b, to: a, delay: 40 ms, \(Self.usual)\(back)}
                """
            return Self.finding(try Self.scenario(links: links)).reasons
        }
        #expect(try reasons("", "") == [])
        let loss = ", loss: {model: bernoulli, rate: 20 %}"
        for (there, back) in [(loss, ""), ("", loss)] {
            #expect(try reasons(there, back).first?.contains("loss per product") == true)
        }
        #expect(
            try reasons("", ", jitter: {distribution: uniform, scale: 1 ms}").first?
                .contains("another delay variation") == true
        )
        #expect(try reasons("", ", corrupt: 1 %").first?.contains("spoiled") == true)
    }

    @Test func automaticStreamsAreSaidToBeTheFirst() throws {
        let link =
            "{between: [a, b], rtt: 16 ms, rate: 300 Mbit/s, queue: {kind: droptail, limit: 1 BDP}}"
        let cases = try Self.scenario(links: link, streams: "auto").linkCases
        let first = try #require(cases.first)
        #expect(first.choice?.choosesControl == false)
        var few = Self.calibration
        few.cells.removeAll { $0.profile.flows >= first.profile.flows }
        let finding = EnvelopeFinding(cases, in: few, isIgnored: false)
        #expect(
            finding.reasons.first?.contains("(automatic streams at their start) is above") == true,
            "\(finding.reasons)"
        )
    }

    @Test(arguments: ["study/bulk", "study/wan-migration", "study/constrained"])
    func shippedScenariosThatAreInside(_ name: String) throws {
        let finding = Self.finding(try BootSamples.shipped(name))
        #expect(finding.place == .inside, "\(finding.reasons)")
    }

    @Test func aTableMarksWhatHasNoFigures() {
        let grid = CalibrationGrid(isQuick: true).profiles
        var some = Self.calibration
        some.cells = some.cells.filter { $0.profile == grid[0] }
        let whole = CalibrationTable(some).text
        #expect(whole.contains("█ ENVELOPE") && !whole.contains("inexact"))
        let part = CalibrationTable(some, inexact: [grid[1]]).text
        let rows = part.split(separator: "\n")
        #expect(rows.count == 5)
        #expect(rows[1].hasPrefix(grid[0].text) && !rows[1].contains("inexact"))
        #expect(rows[2].hasPrefix(grid[1].text) && rows[2].contains("links inexact"))
        #expect(!part.contains("█ ENVELOPE"))
        some.cells = []
        #expect(!CalibrationTable(some, inexact: grid).text.contains("median"))
    }
}
