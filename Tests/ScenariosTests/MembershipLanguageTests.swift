import Scenarios
import Testing
import Units

/// Goal: changes of the membership, and progress while a partition stands, can be written, are written out,
/// and are refused where they make no sense. Method: one scenario, and what goes wrong with it.
@Suite struct MembershipLanguageTests {
    private static func text(
        membership: String = "",
        faults: String = "",
        invariants: String = "raft-safety",
        groups: Int = 1
    ) -> String {
        """
        version: 1
        name: membership
        topology:
          regions: {replicas: {nodes: 7}, clients: {nodes: 1}}
          links: [{between: [replicas, clients], rtt: 10 ms, rate: 1 Gbit/s}]
        workload:
          kind: requests
          groups: \(groups)
          replicas: \(7 / groups)
          \(membership)
          load: {rate: 50 /s}
          duration: {warmup: 0 s, measure: 60 s}
        faults: [\(faults)]
        invariants: [\(invariants)]

        """
    }

    private func membership(
        _ written: String
    ) throws -> Scenario.RequestWorkload.Membership? {
        let text = MembershipLanguageTests.text(membership: "membership: {\(written)}")
        let scenario = try Samples.parsed(text)
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
        guard case .requests(let requests) = scenario.workload else { return nil }
        #expect(
            requests.founders(of: scenario.replicaGroups[0]).count == requests.membership?.founders
        )
        return requests.membership
    }

    @Test func regionsMayBePreferredForLeaders() throws {
        let preferring = "system: {consensus: {leader-regions: [replicas]}}\n"
        let scenario = try Samples.parsed(MembershipLanguageTests.text() + preferring)
        #expect(scenario.variants[0].system.consensus.leaderRegions == ["replicas"])
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
        let unknown = "system: {consensus: {leader-regions: [replica]}}\n"
        let found = Samples.diagnostics(MembershipLanguageTests.text() + unknown)
        #expect(found.contains { $0.message.contains("'replica'") }, "\(found)")
    }

    @Test func witnessesAreAMinorityOfTheFounders() throws {
        let text = { (written: String) in MembershipLanguageTests.text(membership: written) }
        let scenario = try Samples.parsed(text("witnesses: 3"))
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
        guard case .requests(let requests) = scenario.workload else { return }
        let group = scenario.replicaGroups[0]
        #expect(requests.witnesses(of: group) == Array(group.suffix(3)))
        for wrong in ["witnesses: 4", "witnesses: 2\n  membership: {every: 5 s, founders: 4}"] {
            let found = Samples.diagnostics(text(wrong))
            #expect(found.contains { $0.expected?.contains("a minority") == true }, "\(found)")
        }
    }

    @Test func aMajorityIsNotEnoughWithWitnessesOrGroupCommit() {
        let recovery = "recovery: {heal-at: 45 s, progress-within: 10 s, core: majority}\n"
        let grouped = "system: {consensus: {group-commit: true}}\n"
        for text in [
            MembershipLanguageTests.text(membership: "witnesses: 2") + recovery,
            MembershipLanguageTests.text() + grouped + recovery,
            MembershipLanguageTests.text(invariants: "progress-under-partition") + grouped,
        ] {
            let found = Samples.diagnostics(text)
            #expect(
                found.contains { $0.message.contains("is not sure to make progress") },
                "\(found)"
            )
        }
        let found = Samples.diagnostics(MembershipLanguageTests.text() + recovery)
        #expect(!found.contains { $0.message.contains("is not sure to make progress") })
    }

    @Test func entriesMayHaveToBeInTwoRegions() throws {
        let system = "system: {consensus: {group-commit: true}}\n"
        let scenario = try Samples.parsed(MembershipLanguageTests.text() + system)
        #expect(scenario.variants[0].system.consensus.groupCommit)
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
    }

    @Test func everythingHasADefault() throws {
        #expect(
            try membership("every: 5 s")
                == Scenario.RequestWorkload.Membership(
                    founders: 7,
                    least: 3,
                    every: .seconds(5),
                    style: .mixed,
                    transfers: Ratio(0.2),
                    administrators: 1
                )
        )
        #expect(try membership("every: 5 s, founders: 2")?.least == 2)
        let written = try membership(
            "founders: 4, least: 1, every: 300 ms, style: single, transfers: 0 %, administrators: 3"
        )
        #expect(
            written
                == Scenario.RequestWorkload.Membership(
                    founders: 4,
                    least: 1,
                    every: .milliseconds(300),
                    style: .single,
                    transfers: .zero,
                    administrators: 3
                )
        )
        let without = try Samples.parsed(MembershipLanguageTests.text())
        #expect(!without.resolvedText.contains("membership:"))
    }

    @Test func fewerReplicasHaveFewerFounders() throws {
        let text = MembershipLanguageTests.text(membership: "membership: {every: 5 s, founders: 6}")
        var scenario = try Samples.parsed(text)
        scenario.topology.regions[0].nodes = 2
        scenario.workload.fit(into: scenario.topology)
        guard case .requests(let requests) = scenario.workload else { return }
        #expect(requests.replicas == 2)
        #expect(requests.membership?.founders == 2 && requests.membership?.least == 2)
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
    }

    @Test(arguments: [
        ("founders: 8, every: 1 s", "8 founders among 7 replicas"),
        ("founders: 4, least: 5, every: 1 s", "5 voters at least, and 4 founders"),
        ("founders: 4", "every"),
        ("every: 1 s, style: both", "single, joint, mixed"),
    ])
    func contradictionsAreTold(_ written: String, _ words: String) {
        let text = MembershipLanguageTests.text(membership: "membership: {\(written)}")
        let error = #expect(throws: ScenarioError.self) {
            _ = try ScenarioFile.parse(text, file: "membership.yaml")
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func progressUnderPartitionNeedsAMajority() throws {
        let promise = "progress-under-partition"
        for faults in [
            "{kind: net.partition, mode: chained, at: 3 s, for: 20 s}",
            "{kind: net.partition, mode: one-way, at: 3 s, for: 20 s, select: {pick: 3}}",
        ] {
            let text = MembershipLanguageTests.text(faults: faults, invariants: promise)
            #expect(try Samples.parsed(text).invariants == [.progressUnderPartition])
        }
        for (membership, faults) in [
            ("", "{kind: net.partition, mode: chained, at: 3 s, for: 20 s, period: 1 s}"),
            ("", "{kind: net.partition, mode: halves, at: 3 s, for: 20 s}"),
            ("", "{kind: net.partition, mode: constrained-election, at: 3 s, for: 20 s}"),
            ("membership: {every: 5 s}", ""),
        ] {
            let text = MembershipLanguageTests.text(
                membership: membership,
                faults: faults,
                invariants: promise
            )
            #expect(throws: ScenarioError.self) {
                _ = try ScenarioFile.parse(text, file: "membership.yaml")
            }
        }
    }
}
