import Experiments
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: the shipped scenario of simulated RDMA links shares the port, pauses, loses nothing, and is the
/// same run on any number of workers.
/// Method: its seeds with one worker and with two.
@Suite struct RDMALinkTests {
    @Test func theShippedScenario() async throws {
        let results = [try await campaign(workers: 1), try await campaign(workers: 2)]
        #expect(
            results[0].campaign.runs.map(\.fingerprint).sorted()
                == results[1].campaign.runs.map(\.fingerprint).sorted()
        )
        for result in results {
            #expect(result.judgement.determinism?.equal == result.judgement.determinism?.compared)
            for run in result.campaign.runs {
                #expect(run.outcome == .completed)
                #expect(run.isSound)
                for link in ["left->receiver", "right->receiver"] {
                    let label = Label("link", link)
                    let goodput = try #require(run.value(of: "goodput", labels: [label]))
                    #expect(goodput.value > 11e9 && goodput.value < 12.5e9, "\(goodput.value)")
                    let pause = try #require(
                        run.value(of: "pause-share", labels: [label, Label("direction", link)])
                    )
                    #expect(pause.value > 5 && pause.value < 60, "\(pause.value)")
                    let fact = try #require(run.fact("pauses, \(link)"))
                    #expect(fact.hasSuffix("0 packets dropped by the queue"))
                }
            }
        }
    }

    private func campaign(workers: Int) async throws -> CampaignResult {
        var scenario = try BootSamples.shipped("smoke/rdma-simulated")
        // What else runs on this machine decides nothing.
        scenario.budget.wall = .seconds(3600)
        let plan = CampaignPlan(try BootSamples.setting(scenario), environment: .simulated)
        return try await CampaignRunner(plan, workers: workers) { setting, isCancelled in
            Replication.simulated(setting, commit: "test", isCancelled: isCancelled)
        }.run(listener: Quiet()) { false }
    }
}
