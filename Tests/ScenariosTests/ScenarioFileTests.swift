import Foundation
import HardwareModel
import Measurements
import Scenarios
import Testing
import Units

/// Goal: correct files give the scenario that they describe. Method: read samples and compare values.
@Suite struct ScenarioFileTests {
    @Test func whatIsLeftOutHasItsDefault() throws {
        let scenario = try Samples.parsed(Samples.minimal)
        #expect(scenario.seed == 1)
        #expect(scenario.environment == .simulated)
        #expect(scenario.hardware == "lab-vm")
        #expect(scenario.variants.map(\.name) == ["default"])
        #expect(scenario.variants[0].system == scenario.system)
        #expect(scenario.system.transport.streams == .automatic)
        #expect(scenario.system.encoding == .none)
        #expect(scenario.topology.links.map(\.name) == ["a->b", "b->a"])
        let path = scenario.topology.links[0].path
        #expect(path.delay == .milliseconds(40))
        #expect(path.rate == .megabits(100))
        #expect(path.queue == .bandwidthDelayProducts(1))
        #expect(path.loss == .none && path.jitter == .none && path.background == .zero)
        #expect(scenario.topology.regions[0].local.rate == .gigabits(10))
        #expect(scenario.budget.replications.minimum == 10)
        #expect(scenario.horizon == .seconds(40))
        guard case .bulk(let bulk) = scenario.workload else {
            Issue.record("\(scenario.workload)")
            return
        }
        #expect(bulk.from == RegionID(0) && bulk.to == RegionID(1))
        #expect(bulk.duration == Scenario.SteadyDuration(warmUp: .automatic, measure: .seconds(20)))
    }

    private func beside(_ transfers: String) -> String {
        """
        version: 1
        name: pairs
        topology:
          regions: {a: {}, b: {}, c: {}, d: {}}
          links:
            - {between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}
            - {between: [c, d], rtt: 40 ms, rate: 10 Mbit/s}
        workload:
          kind: bulk
          duration: {warmup: 1 s, measure: 9 s}
          beside: [\(transfers)]
        system: {transport: {congestion: auto}}

        """
    }

    // Transfers at the same time have durations of their own; the longest one ends the run. What is
    // written out reads back the same.
    @Test func bulkTransfersRunBesideEachOther() throws {
        let scenario = try Samples.parsed(
            beside("{from: c, to: d, duration: {warmup: 5 s, measure: 30 s}}")
        )
        guard case .bulk(let bulk) = scenario.workload else { return }
        #expect(bulk.transfers.map(\.from) == [RegionID(0), RegionID(2)])
        #expect(bulk.transfers.map(\.to) == [RegionID(1), RegionID(3)])
        #expect(scenario.horizon == .seconds(35))
        #expect(scenario.system.transport.congestion == .automatic)
        let again = try Samples.parsed(scenario.resolvedText)
        #expect(again.workload == scenario.workload)
        let same = try Samples.parsed(beside("{from: c, to: d}"))
        guard case .bulk(let plain) = same.workload else { return }
        #expect(plain.transfers.map(\.duration.measure) == [.seconds(9), .seconds(9)])
        #expect(!Samples.diagnostics(beside("{from: a, to: b}")).isEmpty)
        #expect(!Samples.diagnostics(beside("{from: b, to: c}")).isEmpty)
    }

    @Test func everyKeyReachesItsValue() throws {
        let scenario = try Samples.parsed(Samples.complete)
        #expect(scenario.seed == 0x9A3F)
        #expect(scenario.environment == .sockets)
        #expect(scenario.topology.regions.map(\.nodes) == [3, 2, 1])
        #expect(scenario.topology.regions[0].labels == ["rack-1", "primary"])
        let links = scenario.topology.links
        #expect(links.map(\.from.rawValue) == [0, 0, 1, 1, 2, 2])
        #expect(links[0].name == "atlantic" && links[2].name == "atlantic")
        #expect(links[0].path.loss == .gilbert(rate: Ratio(0.1 / 100), burst: 8))
        #expect(links[0].path.queue == .bandwidthDelayProducts(1.5))
        #expect(links[0].path.background == Ratio(0.3))
        #expect(
            links[0].path.jitter
                == Scenario.Jitter(
                    .lognormal(scale: .milliseconds(2), sigma: 0.1),
                    reorders: true
                )
        )
        #expect(links[1].path.delay == .microseconds(90_500))
        #expect(links[1].path.rate == BitRate(bitsPerSecond: 2_500_000_000))
        #expect(links[1].path.queue == .time(.milliseconds(50)))
        // Without a scale, a lognormal jitter takes the one-way delay times sigma.
        #expect(
            links[3].path.jitter.distribution
                == .lognormal(scale: .microseconds(7_500), sigma: 0.1)
        )
        #expect(links[3].name == "east -> \"west\"")
        #expect(scenario.topology.regions[2].local.delay == .microseconds(50))
        #expect(scenario.faults.count == 10)
        #expect(
            scenario.faults[0]
                == FaultRule(
                    action: .netPartition(.oneWay(.inbound)),
                    schedule: .at(.seconds(30) ... .seconds(30)),
                    duration: .range(.seconds(10) ... .seconds(20)),
                    selection: FaultRule.Selection(
                        region: RegionID(1),
                        link: nil,
                        role: nil,
                        label: nil,
                        pick: .one
                    )
                )
        )
        #expect(scenario.faults[1].selection.pick == .percent(Ratio(0.5)))
        #expect(scenario.faults[1].schedule == .at(.seconds(60) ... .seconds(120)))
        #expect(scenario.faults[4].duration == .range(.seconds(1) ... .seconds(1)))
    }

    @Test func expressionsBecomeTargets() throws {
        let targets = try Samples.parsed(Samples.complete).targets
        #expect(
            targets.map(\.expectation) == [
                "speedup > 3x", "p(99.5) < 500 ms", "mean >= 85 %", "min > 400 Mbit/s",
                "difference <= -12.5 ms", "median > 500 MB/s", "max == 0 %", "mean > 50.5 req/s",
                "count >= 10", "rate != 3 req/s",
            ]
        )
        #expect(targets[0].subject == .compare("dwcp", "baseline"))
        #expect(targets[0].unit == .factor && targets[0].threshold == 3)
        #expect(targets[0].confidence == Ratio(0.99))
        #expect(targets[1].subject == .variant("dwcp"))
        // Half a second in the base unit is exactly 500 in the metric's own.
        #expect(targets[1].threshold == 0.5 && targets[1].unit == .milliseconds)
        #expect(targets[1].unit.value(fromBase: targets[1].threshold) == 500)
        #expect(targets[2].link == "atlantic" && targets[2].region == "us-east")
        #expect(targets[2].subject == .everyVariant)
        #expect(targets[3].threshold == 400e6)
    }

    @Test func variantsAreMergedOntoTheSystem() throws {
        // Goal: deep merge. Method: patches that set one nested key, change a kind, or inherit one.
        let text =
            Samples.minimal + """
                system: {transport: {streams: 4, window: 8 MiB}, encoding: {kind: hierarchical, level: 1}}
                variants:
                  same: {}
                  empty:
                  nested: {transport: {streams: 2}}
                  kind: {encoding: none}
                  option: {encoding: {batch-pages: 7}}

                """
        let scenario = try Samples.parsed(text)
        let base = scenario.system
        func system(_ name: String) -> Scenario.SystemConfiguration? {
            scenario.variant(named: name)?.system
        }
        #expect(system("same") == base)
        #expect(system("empty") == base)
        var nested = base
        nested.transport.streams = .fixed(2)
        #expect(system("nested") == nested)
        var kind = base
        kind.encoding = .none
        #expect(system("kind") == kind)
        var option = base
        option.encoding = .hierarchical(.init(level: 1, batchPages: 7))
        #expect(system("option") == option)
        #expect(base.transport.window == .mebibytes(8))
    }

    @Test func anOptionOfAnotherKindIsRefused() {
        let text = Samples.minimal + "variants: {raw: {encoding: {kind: none, level: 3}}}\n"
        #expect(Samples.diagnostics(text).map(\.message) == ["unknown key 'level'"])
    }

    @Test(
        arguments: [
            ("80 ms", 80_000_000), ("80ms", 80_000_000), ("0.5 us", 500), ("7 µs", 7_000),
            ("1.5 h", 5_400_000_000_000), ("84.93 ms", 84_930_000), ("0.000000001 s", 1),
            ("2 d", 172_800_000_000_000), ("3 min", 180_000_000_000),
        ] as [(String, Int64)]
    )
    func durationsAreExact(_ text: String, _ nanoseconds: Int64) throws {
        let scenario = try Samples.parsed(
            Samples.minimal.replacing("measure: 20 s", with: "warmup: \(text), measure: 1 s")
        )
        guard case .bulk(let bulk) = scenario.workload else { return }
        #expect(bulk.duration.warmUp == .fixed(Interval(nanoseconds: nanoseconds)))
    }

    @Test func shippedScenariosAreCorrect() throws {
        // Goal: what the project ships runs. Method: read each file, and its profile.
        #expect(Samples.shipped.count >= 6)
        for file in Samples.shipped {
            let scenario = try Samples.parsed(String(contentsOf: file, encoding: .utf8))
            #expect(scenario.name == file.deletingPathExtension().lastPathComponent)
            // What breaks at random, and what once trapped, is judged by its invariants alone.
            let isJudgedByInvariants = ["/chaos/", "/regression/"].contains {
                file.path.contains($0)
            }
            #expect(!scenario.targets.isEmpty || isJudgedByInvariants)
            #expect(!scenario.invariants.isEmpty)
            let hardware = Samples.folder.appendingPathComponent("hardware").path
            let profile = try HardwareProfileFile.load(named: scenario.hardware, in: hardware)
            #expect(profile.name == scenario.hardware)
        }
    }

    @Test func theTemplateIsCorrect() throws {
        let text = try ScenarioTemplate.text(name: "fresh")
        #expect(try Samples.parsed(text).name == "fresh")
        #expect(throws: ScenarioError.self) { try ScenarioTemplate.text(name: "not a name") }
    }

    @Test func aMissingFileAndForeignBytesAreExplained() {
        #expect(throws: ScenarioError.self) { try ScenarioFile.load(path: "/nowhere/x.yaml") }
        do {
            _ = try ScenarioFile.load(path: "/nowhere/x.yaml")
        } catch {
            #expect(error.diagnostics[0].category == .unreadable)
            #expect(error.diagnostics[0].file == "/nowhere/x.yaml")
        }
        do {
            _ = try ScenarioFile.parse(bytes: Array("a: 1\nb: ".utf8) + [0xff], file: "x.yaml")
        } catch {
            #expect(error.diagnostics[0].message == "the file is not UTF-8 text")
            #expect(error.diagnostics[0].location == SourceLocation(line: 2, column: 4))
        }
    }

    @Test func aProfileSaysWhatIsWrongWithIt() throws {
        // Goal: profiles are checked like scenarios. Method: spoil the shipped one.
        let path = Samples.folder.appendingPathComponent("hardware/lab-vm.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        let profile = try HardwareProfileFile.parse(text, file: "lab-vm.yaml")
        #expect(profile.cores >= 1)
        #expect(profile.disk.write > 0)
        do {
            let wrong = text.replacing("cores:", with: "coers:")
            _ = try HardwareProfileFile.parse(wrong, file: "lab-vm.yaml")
            Issue.record("a profile without cores was read")
        } catch {
            #expect(error.diagnostics.map(\.category) == [.missingKey, .unknownKey])
            #expect(error.diagnostics.allSatisfy { $0.suggestion == "cores" })
        }
    }
}
