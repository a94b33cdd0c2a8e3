import Measurements
import Scenarios
import Testing
import Units

/// Goal: transfers of one sender, their shares and names, targets on them, and deadlines of migrations
/// mean what they say, and what cannot be is refused at its place.
/// Method: read scenarios that are right and compare values; read ones with a single mistake and compare
/// the only diagnostic.
@Suite struct SharesLanguageTests {
    private func text(_ workload: String, targets: String = "", nodes: Int = 3) -> String {
        """
        version: 1
        name: shares
        topology:
          regions: {a: {}, b: {nodes: \(nodes)}, c: {}}
          links:
            - {between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}
            - {between: [a, c], rtt: 40 ms, rate: 10 Mbit/s}
            - {between: [c, b], rtt: 40 ms, rate: 10 Mbit/s}
        workload: {kind: bulk, duration: {warmup: 1 s, measure: 9 s}, \(workload)}
        targets: [\(targets)]

        """
    }

    private func bulk(_ text: String) throws -> Scenario.BulkWorkload {
        let scenario = try Samples.parsed(text)
        var bulk: Scenario.BulkWorkload?
        if case .bulk(let found) = scenario.workload { bulk = found }
        // What is written out reads back the same.
        let again = try Samples.parsed(scenario.resolvedText)
        #expect(again == scenario)
        #expect(again.digest == scenario.digest)
        return try #require(bulk)
    }

    @Test func transfersOfOneSender() throws {
        let bulk = try bulk(
            text(
                """
                name: one, share: {weight: 3, least: 10 Mbit/s, most: 50 Mbit/s},
                  beside: [{from: a, to: b, name: two, start: 1 s, share: {}}, {from: a, to: c}]
                """,
                targets: """
                    {metric: goodput, transfer: two, expect: mean > 1 Mbit/s},
                      {metric: goodput, link: "a->c", expect: mean > 1 Mbit/s}
                    """
            )
        )
        #expect(bulk.transfers.map(\.from) == [RegionID(0), RegionID(0), RegionID(0)])
        #expect(bulk.transfers.map(\.to) == [RegionID(1), RegionID(1), RegionID(2)])
        #expect(bulk.transfers.map(\.name) == ["one", "two", nil])
        #expect(
            bulk.share
                == Scenario.BulkWorkload.Share(
                    weight: 3,
                    least: .megabits(10),
                    most: .megabits(50)
                )
        )
        #expect(bulk.beside.map(\.share) == [Scenario.BulkWorkload.Share(), nil])
        #expect(bulk.beside[0].start == .seconds(1))
    }

    @Test func aTransferAloneMayHaveALimit() throws {
        let bulk = try bulk(text("share: {most: 2 Mbit/s, least: 2 Mbit/s}"))
        #expect(bulk.share?.weight == 1)
        #expect(bulk.share?.most == .megabits(2))
        #expect(try self.bulk(text("start: 0 s")).share == nil)
    }

    // Digests of scenarios that know nothing of shares stay as they were.
    @Test func whatIsNotThereIsNotWrittenOut() throws {
        let resolved = try Samples.parsed(Samples.minimal).resolvedText
        for key in ["share:", "transfer:", "weight:", " deadline:"] {
            #expect(!resolved.contains(key))
        }
    }

    @Test func aTargetNamesItsTransfer() throws {
        let scenario = try Samples.parsed(
            text("name: one", targets: "{metric: goodput, transfer: one, expect: mean > 1 bit/s}")
        )
        #expect(scenario.targets.map(\.transfer) == ["one"])
        #expect(scenario.targets.map(\.link) == [nil])
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var workload: String
        var targets = ""
        var category: ScenarioDiagnostic.Category
        /// Part of the message, and of what is expected.
        var message: String
        var expected: String
        var testDescription: String { message }
    }

    static let mistakes = [
        Mistake(
            workload: "name: one, beside: [{from: a, to: b}]",
            category: .missingKey,
            message: "several transfers take the link 'a->b', and this one has no 'name'",
            expected: "name: backup"
        ),
        Mistake(
            workload: "name: one, beside: [{from: a, to: b, name: one}]",
            category: .conflict,
            message: "two transfers have the name 'one'",
            expected: "a name of its own for each"
        ),
        Mistake(
            workload: "name: one, beside: [{from: a, to: c, name: one}]",
            category: .conflict,
            message: "two transfers have the name 'one'",
            expected: "a name of its own for each"
        ),
        Mistake(
            workload: "share: {least: 20 Mbit/s, most: 10 Mbit/s}",
            category: .conflict,
            message: "the least of 20 Mbit/s exceeds the most of 10 Mbit/s",
            expected: "least at most most"
        ),
        Mistake(
            workload: "share: {most: 7 kbit/s}",
            category: .outOfRange,
            message: "the transport holds no transfer down to 7 kbit/s",
            expected: "at least 8 kbit/s"
        ),
        Mistake(
            workload: "beside: [{from: c, to: a}]",
            category: .conflict,
            message: "region 'a' sends one transfer and receives another",
            expected: "both in no two transfers"
        ),
        Mistake(
            workload: "to: c, beside: [{from: c, to: b}]",
            category: .conflict,
            message: "region 'c' sends one transfer and receives another",
            expected: "both in no two transfers"
        ),
        Mistake(
            workload: "to: c, name: one, beside: [{from: a, to: c, name: two}]",
            category: .conflict,
            message: "region 'c' receives 2 transfers and has one node",
            expected: "as many nodes as transfers"
        ),
        Mistake(
            workload: "name: one",
            targets: "{metric: goodput, transfer: oen, expect: mean > 1 bit/s}",
            category: .unknownName,
            message: "unknown transfer 'oen'",
            expected: "one"
        ),
        Mistake(
            workload: "start: 0 s",
            targets: "{metric: goodput, transfer: one, expect: mean > 1 bit/s}",
            category: .unknownName,
            message: "unknown transfer 'one'",
            expected: "no transfer: there is none"
        ),
    ]

    @Test(arguments: mistakes) func whatCannotBeIsRefused(_ mistake: Mistake) throws {
        let found = Samples.diagnostics(text(mistake.workload, targets: mistake.targets))
        try #require(found.count == 1, "\(found)")
        #expect(found[0].category == mistake.category)
        #expect(found[0].message.contains(mistake.message), "\(found[0].message)")
        #expect(found[0].expected?.contains(mistake.expected) == true, "\(found[0])")
    }

    @Test(arguments: [0, 1_001]) func weightsHaveBounds(weight: Int) {
        let found = Samples.diagnostics(text("share: {weight: \(weight)}"))
        #expect(found.map(\.path) == ["workload.share.weight"], "\(found)")
    }

    // As many as one node of the transport carries; one more is refused once.
    @Test func aSenderHasSoManyTransfers() {
        let limit = Scenario.BulkWorkload.transferLimit
        func diagnostics(_ count: Int) -> [ScenarioDiagnostic] {
            let beside = (1..<count).map { "{from: a, to: b, name: t\($0)}" }
            let workload = "name: t0, beside: [\(beside.joined(separator: ", "))]"
            return Samples.diagnostics(text(workload, nodes: count))
        }
        #expect(diagnostics(limit).isEmpty)
        for more in 1...2 {
            let found = diagnostics(limit + more)
            #expect(found.map(\.message) == ["region 'a' sends more than 64 transfers"])
            #expect(found.map(\.category) == [.limit])
        }
    }

    // MARK: Deadlines

    private func deadline(_ workload: String, _ rest: String = "") -> String {
        """
        version: 1
        name: deadline
        topology:
          regions: {a: {}, b: {}}
          links: [{between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}]
        workload: {\(workload)}
        system: {transport: {deadline: 90 s}}
        \(rest)

        """
    }

    @Test func migrationsMayHaveADeadline() throws {
        let scenario = try Samples.parsed(
            deadline(
                "kind: migration, memory: {dataset: seeded-small}",
                "variants: {late: {transport: {deadline: 2 min}}}"
            )
        )
        #expect(scenario.system.transport.deadline == .seconds(90))
        #expect(scenario.variants.map(\.system.transport.deadline) == [.seconds(120)])
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
        #expect(try Samples.parsed(Samples.minimal).system.transport.deadline == nil)
    }

    @Test(
        arguments: [
            ("kind: bulk, duration: {measure: 1 s}", "never over", "those of migrations"),
            ("kind: transfer, amount: 1 MiB", "ordinary streams", "deadline in the workload"),
            ("kind: echo", "nothing of the workload 'echo' goes over the transport", "no deadline"),
        ]
    ) func othersMayNot(workload: String, message: String, expected: String) throws {
        let found = Samples.diagnostics(deadline(workload))
        try #require(found.count == 1, "\(found)")
        #expect(found[0].category == .conflict && found[0].path == "workload")
        #expect(found[0].message.contains(message), "\(found[0].message)")
        #expect(found[0].message.contains("the system has a deadline"), "\(found[0].message)")
        #expect(found[0].expected?.contains(expected) == true, "\(found[0])")
    }

    @Test func aVariantIsNamed() throws {
        let text = deadline(
            "kind: bulk, duration: {measure: 1 s}",
            "variants: {hurried: {transport: {streams: 2, deadline: 1 s}}}"
        ).replacing("system: {transport: {deadline: 90 s}}\n", with: "")
        let found = Samples.diagnostics(text)
        #expect(found.count == 1)
        #expect(found.first?.message.contains("the variant 'hurried' has a deadline") == true)
    }

    // Nor may a seed draw one.
    @Test func anOptionIsNamed() {
        let text = deadline(
            "kind: bulk, duration: {measure: 1 s}",
            "swarm: {knobs: {late: [{transport: {streams: 1}}, {transport: {deadline: 1 s}}]}}"
        ).replacing("system: {transport: {deadline: 90 s}}\n", with: "")
        let found = Samples.diagnostics(text)
        #expect(found.map(\.path) == ["swarm.knobs.late[1]"], "\(found)")
        #expect(found.first?.message.contains("the option has a deadline") == true, "\(found)")
    }
}
