import Scenarios
import Testing
import Units

/// Goal: flows of others and congestion marks can be said, are written out, and mistakes are told.
/// Method: small scenarios with one part each.
@Suite struct CrossTrafficLanguageTests {
    static func text(
        _ traffic: String,
        link: String = "",
        workload: String = "kind: bulk, duration: {measure: 10 s}",
        rest: String = ""
    ) -> String {
        """
        version: 1
        name: crossed
        topology:
          regions: {a: {}, b: {}, c: {}}
          links:
            - {between: [a, b], rtt: 80 ms, rate: 100 Mbit/s\(link)}
            - {from: a, to: c, delay: 1 ms, rate: 100 Mbit/s}
        cross-traffic: [\(traffic)]
        workload: {\(workload)}
        \(rest)

        """
    }

    @Test func keysAndDefaults() throws {
        let scenario = try Samples.parsed(
            Self.text(
                "{from: a, to: b}, {from: b, to: a, flows: 7, congestion: bbr, ecn: true, start: 2 s}"
            )
        )
        #expect(
            scenario.crossTraffic == [
                Scenario.CrossTraffic(from: RegionID(0), to: RegionID(1), flows: 1),
                Scenario.CrossTraffic(
                    from: RegionID(1),
                    to: RegionID(0),
                    flows: 7,
                    congestion: .bbr,
                    usesCongestionNotification: true,
                    start: .seconds(2)
                ),
            ]
        )
        let again = try Samples.parsed(scenario.resolvedText)
        #expect(again == scenario && again.digest == scenario.digest)
        #expect(scenario.crossTraffic(from: RegionID(1), to: RegionID(0)).count == 1)
    }

    /// Goal: who uses neither keeps the digest, and so the archived runs. Method: written defaults.
    @Test func defaultsChangeNoDigest() throws {
        let plain = try Samples.parsed(Samples.minimal)
        let written = try Samples.parsed(
            Samples.minimal + "cross-traffic: []\nsystem: {transport: {ecn: false}}\n"
        )
        #expect(written == plain && written.digest == plain.digest)
        #expect(!plain.resolvedText.contains("ecn: true"))
        let marked = try Samples.parsed(Samples.minimal + "system: {transport: {ecn: true}}\n")
        #expect(marked.digest != plain.digest)
        #expect(try Samples.parsed(marked.resolvedText) == marked)
        #expect(marked.variants[0].system.transport.usesCongestionNotification)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var traffic: String
        var link = ""
        var workload = "kind: bulk, duration: {measure: 10 s}"
        var rest = ""
        var category: ScenarioDiagnostic.Category
        var message: String

        var testDescription: String { message }
    }

    private static let harm = "targets: [{metric: fairness-harm, expect: \"mean < 10 %\"}]"

    static let mistakes = [
        Mistake(traffic: "{from: a}", category: .missingKey, message: "no 'to'"),
        Mistake(traffic: "{from: a, to: x}", category: .unknownName, message: "'x'"),
        Mistake(traffic: "{from: a, to: a}", category: .conflict, message: "to itself"),
        Mistake(
            traffic: "{from: a, to: c}",
            category: .conflict,
            message: "no link leads from 'c' to 'a'"
        ),
        Mistake(
            traffic: "{from: a, to: b, flows: 0}",
            category: .outOfRange,
            message: "the number is 0"
        ),
        Mistake(
            traffic: "{from: a, to: b, congestion: auto}",
            category: .badValue,
            message: "unknown word 'auto'"
        ),
        Mistake(
            traffic: "{from: a, to: b, start: 20 s}",
            category: .conflict,
            message: "start when the run is over"
        ),
        Mistake(
            traffic: Array(repeating: "{from: a, to: b, flows: 256}", count: 5)
                .joined(separator: ", "),
            category: .limit,
            message: "1280 flows"
        ),
        Mistake(
            traffic: "{from: a, to: b}",
            link: ", fidelity: fluid",
            category: .conflict,
            message: "a fluid link cannot carry cross-traffic"
        ),
        Mistake(
            traffic: "{from: a, to: b}",
            workload: "kind: boot, graph: node",
            category: .conflict,
            message: "crosses a link"
        ),
        Mistake(traffic: "", rest: harm, category: .conflict, message: "nobody is harmed"),
        Mistake(
            traffic: "{from: b, to: a}",
            rest: harm,
            category: .conflict,
            message: "nobody is harmed"
        ),
        Mistake(
            traffic: "{from: a, to: b}",
            workload: "kind: transfer, amount: 1 MB",
            rest: harm,
            category: .conflict,
            message: "not measured by the workload 'transfer'"
        ),
    ]

    @Test(arguments: mistakes) func mistakesAreTold(_ mistake: Mistake) {
        let text = Self.text(
            mistake.traffic,
            link: mistake.link,
            workload: mistake.workload,
            rest: mistake.rest
        )
        let found = Samples.diagnostics(text)
        #expect(
            found.contains {
                $0.category == mistake.category && $0.message.contains(mistake.message)
            },
            "\(found)"
        )
    }

    /// Goal: where others compete, harm can be gated. Method: the target of the mistakes above.
    @Test func harmCanBeGated() throws {
        let scenario = try Samples.parsed(Self.text("{from: a, to: b}", rest: Self.harm))
        #expect(scenario.targets.map(\.metric) == ["fairness-harm"])
    }
}
