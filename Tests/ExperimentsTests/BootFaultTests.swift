import Experiments
import Measurements
import Scenarios
import Testing
import Units

/// Goal: faults of boots strike where and when the scenario says, the boot ends as the criticality of
/// what failed says, and nothing is left behind.
/// Method: one fault each on a graph of three components of one second, with outcomes worked out by
/// hand; then random graphs with random faults; then crashes at every step of the real node.
@Suite struct BootFaultTests {
    /// configuration → store → api, one second each.
    private func chain(
        _ options: String = "",
        nodes: Int = 1,
        configuration: String = "wait: 1 s",
        faults: String
    ) throws -> RunRecord {
        let scenario = try BootSamples.scenario(
            nodes: nodes,
            """
            shared: {shop: {service-time: 100 ms, distribution: constant, timeout: 1 s, rtt: 0 ms}},
            components: {
              configuration: {phase: pre, \(configuration), origin: assumed},
              store: {phase: core, needs: [configuration], wait: 1 s, origin: assumed, \(options)},
              api: {phase: service, wants: [store], wait: 1 s, origin: assumed}}
            """,
            faults: "[{\(faults)}]"
        )
        let record = try BootSamples.run(scenario)
        #expect(record.outcome == .completed)
        #expect(
            record.invariants.allSatisfy { $0.violationCount == 0 },
            "\(record.invariants)"
        )
        #expect(record.isPossible)
        return record
    }

    @Test func aCrashedNodeBootsAgainFromItsNextStart() throws {
        // Method: the crash comes after two components, at 2 s; the node starts again at 7 s and
        // needs 3 s, counted from there.
        let record = try chain(
            faults: "kind: init.crash, at: 0 s, for: 5 s, component: store, point: after"
        )
        #expect(record.bootTimes == [3])
        #expect(record.simulatedSeconds == 10)
        #expect(record.fact("boots")?.hasPrefix("2 begun, 1 READY") == true)
        #expect(record.faults.map(\.fired) == [.zero + .seconds(2)])
        #expect(record.faults.map(\.healed) == [.zero + .seconds(7)])
    }

    @Test func crashesComeBeforeAndAfterPhases() throws {
        let before = try chain(faults: "kind: init.crash, at: 0 s, for: 1 s, phase: service")
        #expect(before.faults[0].fired == .zero + .seconds(2))
        let after = try chain(
            faults: "kind: init.crash, at: 0 s, for: 1 s, phase: core, point: after"
        )
        #expect(after.faults[0].fired == .zero + .seconds(2))
        #expect(after.bootTimes == [3])
    }

    @Test func aNodeThatStaysDownNeverFailsToBoot() throws {
        let record = try chain(faults: "kind: init.crash, at: 0 s, component: api")
        #expect(record.bootTimes.isEmpty && record.failures == 0)
        #expect(record.faults[0].fired == .zero + .seconds(2))
        #expect(record.faults[0].healed == nil)
        let crash = try chain(faults: "kind: node.restart, at: 500 ms, for: 2 s")
        #expect(crash.bootTimes == [3])
        #expect(crash.simulatedSeconds == 5.5)
    }

    @Test func failedAttemptsAreRetriedAndCount() throws {
        // Method: one second of work, failed; one second of delay; one second again.
        let record = try chain(
            "retry: {attempts: 2, delay: 1 s}",
            faults: "kind: init.fail, at: 0 s, component: store"
        )
        #expect(record.bootTimes == [5])
        #expect(record.spans.filter { $0.name == "store" }.map(\.outcome) == [.failed, .ready])
        #expect(record.faults[0].healed == .zero + .seconds(2))
    }

    @Test(arguments: [("halt", 0, 1), ("degrade", 1, 0), ("warn", 1, 0)])
    func criticalityDecides(_ criticality: String, ready: Int, failed: Int) throws {
        let record = try chain(
            "criticality: \(criticality)",
            faults: "kind: init.fail, at: 0 s, component: store, attempts: 5"
        )
        #expect(record.bootTimes.count == ready)
        #expect(record.failures == Double(failed))
        #expect((record.fact("boot failed") != nil) == (failed == 1))
    }

    @Test func slowComponentsRunIntoTheirTimeout() throws {
        let late = try chain(faults: "kind: init.slow, at: 0 s, component: store, factor: 4")
        #expect(late.bootTimes == [6])
        let gone = try chain(
            "timeout: 2 s, criticality: degrade",
            faults: "kind: init.slow, at: 0 s, component: store, factor: 4"
        )
        #expect(gone.bootTimes == [4])
        let healed = try chain(
            "timeout: 2 s, retry: {attempts: 3, delay: 1 s}",
            faults: "kind: init.slow, at: 0 s, for: 3 s, component: store, factor: 4"
        )
        // Slow until 3 s, when it is tried again after 1 s of delay at 4 s.
        #expect(healed.bootTimes == [6])
    }

    @Test func servicesBecomeSlowAndGo() throws {
        let asking = "wait: 1 s, uses: {shop: 2}"
        let slow = try chain(
            configuration: asking,
            faults: "kind: init.dependency-slow, at: 0 s, for: 1200 ms, service: shop, factor: 5"
        )
        // The first request takes 500 ms, the second one comes after the fault.
        #expect(slow.bootTimes == [1 + 0.5 + 0.1 + 2])
        #expect(slow.faults[0].healed == .zero + .milliseconds(1200))
        let down = try chain(
            configuration: asking,
            faults: "kind: init.dependency-down, at: 0 s, service: shop"
        )
        #expect(down.failures == 1 && down.simulatedSeconds == 1)
        let silent = try chain(
            configuration: asking,
            faults: "kind: init.dependency-down, at: 0 s, service: shop, silence: silent"
        )
        #expect(silent.failures == 1 && silent.simulatedSeconds == 2)
    }

    @Test func aTornConfigurationHaltsUntilItIsRepaired() throws {
        let torn = try chain(faults: "kind: init.config-torn, at: 0 s")
        #expect(torn.failures == 1 && torn.bootTimes.isEmpty)
        let repaired = try chain(faults: "kind: init.config-torn, at: 0 s, for: 5 s")
        #expect(repaired.bootTimes == [3] && repaired.simulatedSeconds == 8)
        // The real node reads a real file.
        let scenario = try BootSamples.scenario(
            "graph: node",
            faults: "[{kind: init.config-torn, at: 0 s, for: 5 s}]"
        )
        let node = try BootSamples.run(scenario)
        #expect(node.failures == 1 && node.bootTimes.count == 1)
        #expect(node.fact("boot failed")?.contains("configuration") == true)
        #expect(node.isSound)
    }

    @Test func impatientHerdsMakeItWorse() throws {
        // Method: 40 nodes ask at once a service that answers 10 a second. Patient clients are served
        // in 4 s; clients that give up after 1 s leave their requests behind, come again, and the
        // last are served later or never.
        func herd(_ timeout: String) throws -> RunRecord {
            try BootSamples.run(
                BootSamples.scenario(
                    nodes: 40,
                    """
                    shared: {shop: {service-time: 100 ms, distribution: constant, rtt: 0 ms,
                                    timeout: \(timeout)}},
                    components: {a: {phase: pre, origin: assumed, uses: {shop: 1}, timeout: 60 s,
                                     retry: {attempts: 5, delay: 1 s}}}
                    """
                )
            )
        }
        let patient = try herd("10 s")
        #expect(patient.failures == 0 && patient.simulatedSeconds == 4)
        let impatient = try herd("1 s")
        #expect(try #require(impatient.value(of: "boot-time")?.extremes).maximum > 4)
        #expect(patient.isSound && impatient.isPossible)
        #expect(patient.fact("service shop")?.hasPrefix("40 requests, 40 answered, 0 ref") == true)
    }

    @Test func randomBootsKeepTheirPromises() throws {
        // Goal: no boot is faster than its critical path, none ends against its criticality, and none
        // leaves anything behind. Method: 300 random graphs with random costs, orders, limits and
        // faults; every figure must be possible and every invariant hold.
        var random = Xorshift(state: 0xB007)
        var failures = 0.0
        for seed in 0..<300 as Range<UInt64> {
            let scenario = try randomScenario(&random)
            let record = try BootSamples.run(scenario, seed: seed)
            #expect(record.outcome == .completed, "\(scenario.resolvedText)")
            let held = record.invariants.allSatisfy { $0.violationCount == 0 }
            #expect(held, "\(record.invariants) \(scenario.resolvedText)")
            let impossible = record.metrics.filter { !$0.isPlausible }
            #expect(impossible.isEmpty, "\(impossible) \(scenario.resolvedText)")
            failures += record.failures ?? 0
        }
        // Otherwise the faults never mattered.
        #expect(failures > 30)
    }

    private func randomScenario(_ random: inout Xorshift) throws -> Scenario {
        let phases = ["pre", "core", "service", "post"]
        let count = 2 + random.below(10)
        let components = (0..<count).map { index in
            let below = (0..<index).filter { _ in random.below(3) == 0 }.map { "c\($0)" }
            let split = random.below(below.count + 1)
            return """
                c\(index): {phase: \(phases[index * 4 / count]), origin: assumed,
                  needs: [\(below[..<split].joined(separator: ", "))],
                  wants: [\(below[split...].joined(separator: ", "))],
                  cpu: \(random.below(900)) ms, wait: \(random.below(900)) ms,
                  timeout: \(500 + random.below(5_000)) ms,
                  criticality: \(["halt", "degrade", "warn"][random.below(3)]),
                  readiness: \(index > 0 && random.below(4) == 0 ? "background" : "required"),
                  retry: {attempts: \(1 + random.below(3)), delay: 200 ms, jitter: 20 %},
                  uses: {\(random.below(3) == 0 ? "shop: 2" : "")}}
                """
        }
        let name = "c\(random.below(count))"
        let faults = [
            "{kind: init.fail, at: 0 s, component: \(name), attempts: 2}",
            "{kind: init.slow, at: 0..2 s, for: 1..4 s, component: \(name), factor: 8}",
            "{kind: init.crash, at: 0 s, for: 1 s, component: \(name), point: after}",
            "{kind: init.crash, at: 0 s, for: 1 s, phase: \(phases[random.below(4)]), point: after}",
            "{kind: node.crash, at: 0..2 s, for: 500 ms}",
            "{kind: init.dependency-down, at: 0..1 s, for: 2 s, service: shop}",
        ].filter { _ in random.below(3) == 0 }
        let order = ["sequential", "level-parallel", "dependency-ready"][random.below(3)]
        return try BootSamples.scenario(
            nodes: 1 + random.below(4),
            """
            variation: {distribution: lognormal, sigma: 0.4}, stagger: 0..1 s,
            shared: {shop: {service-time: 50 ms, timeout: 400 ms, queue: 3}},
            components: {\(components.joined(separator: ",\n"))}
            """,
            variants: """
                {default: {initialization: {order: \(order), concurrency: \(1 + random.below(4)),
                 boot-deadline: \(2 + random.below(20)) s}}}
                """,
            faults: "[\(faults.joined(separator: ", "))]"
        )
    }

    // MARK: - Crash points

    @Test func theNodeSurvivesACrashAtEveryStep() throws {
        let scenario = try BootSamples.shipped("chaos/boot-crash-points")
        for seed in 0..<2 as Range<UInt64> {
            let record = try BootSamples.run(scenario, seed: seed)
            #expect(record.outcome == .completed)
            #expect(record.isSound, "\(record.invariants)")
            #expect(record.invariants.count == 5)
            let points = record.markers.filter { $0.kind == Marker.crashPoint }
            #expect(points.count >= 20)
            #expect(points.allSatisfy { $0[Marker.survivedField] == 1 })
            for step in ["security.authority-key", "database.migrations.tasks", "ready", "stopped"]
            {
                for side in ["before", "after"] {
                    #expect(points.contains { $0.text == "\(step):\(side)" }, "\(step):\(side)")
                }
            }
        }
    }

    @Test func theNodeSurvivesACrashInEveryWrite() throws {
        let scenario = try BootSamples.scenario("graph: node, crash-points: every-disk-operation")
        let record = try BootSamples.run(scenario)
        #expect(record.outcome == .completed)
        #expect(record.isSound, "\(record.invariants)")
        let points = record.markers.filter { $0.kind == Marker.crashPoint }
        #expect(points.count >= 60 && points.count % 3 == 0)
    }
}

/// A small generator for tests (Marsaglia 2003).
private struct Xorshift {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(bound))
    }
}
