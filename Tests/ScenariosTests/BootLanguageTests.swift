import Foundation
import Initialization
import Scenarios
import Testing
import Units

/// Goal: the workload kind `boot` reads as it is written, and refuses what cannot boot at its place.
/// Method: a sample with every key, its values, mistakes in it marked by `@`, and the shipped graphs.
@Suite struct BootLanguageTests {
    @Test func everyKeyHasItsMeaning() throws {
        let scenario = try Samples.parsed(Samples.boot)
        guard case .boot(let boot) = scenario.workload else {
            Issue.record("the kind is \(scenario.workload.kind)")
            return
        }
        #expect(boot.region == RegionID(1))
        #expect(boot.nodes(in: scenario.topology) == [NodeID(2), NodeID(3), NodeID(4)])
        #expect(boot.sigma == 0.25)
        #expect(boot.stagger == .milliseconds(500) ... .seconds(2))
        #expect(boot.cores == 8)
        #expect(boot.crashPoints == .everyStep)
        #expect(boot.shared.map(\.name) == ["store", "signer"])
        #expect(boot.shared[0].distribution == .constant)
        #expect(boot.components.map(\.specification.name) == ["configuration", "cache", "api"])
        let cache = boot.components[1]
        #expect(cache.cpu == .milliseconds(100) && cache.wait == .seconds(2))
        #expect(cache.origin == .plans && cache.split == .recorded && cache.part == "cache")
        #expect(cache.specification.criticality == .degrade)
        #expect(cache.specification.retry.attempts == 3)
        #expect(cache.specification.retry.jitter == 0.1)
        #expect(!cache.specification.holdsReadiness)
        #expect(cache.specification.optionalDependencies == ["configuration"])
        #expect(cache.uses.map(\.service) == ["signer", "store"])
        #expect(scenario.variants[0].system.initialization.order == .sequential)
        #expect(scenario.variants[1].system.initialization.concurrency == 2)
        #expect(scenario.targets[0].phase == "core")
        #expect(
            scenario.faults.map(\.action) == [
                .boot(.crash(.component("api"), .after)), .boot(.crash(.phase(.core), .before)),
                .boot(.dependencySlow("store", factor: 10)),
                .boot(.dependencyDown("signer", silent: true)), .boot(.configTorn),
                .boot(.fail("cache", attempts: 2)), .boot(.slow("api", factor: 1.5)), .nodeRestart,
            ]
        )
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
    }

    @Test func theNodeItselfNeedsNothingElse() throws {
        let scenario = try Samples.parsed(Samples.nodeBoot)
        guard case .boot(let boot) = scenario.workload else { return }
        #expect(boot.graph == .node(costs: "lab"))
        #expect(boot.components.isEmpty)
        #expect(boot.nodes(in: scenario.topology).count == 2)
        #expect(scenario.variants[0].system.initialization.order == .dependencyReady)
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var original: String
        var replacement: String
        var category: ScenarioDiagnostic.Category
        var message: String

        init(
            _ original: String,
            _ replacement: String,
            _ category: ScenarioDiagnostic.Category,
            _ message: String
        ) {
            self.original = original
            self.replacement = replacement
            self.category = category
            self.message = message
        }

        var testDescription: String { replacement }
    }

    static let mistakes = [
        Mistake("cores: 8", "@croes: 8", .unknownKey, "unknown key 'croes'"),
        Mistake("cores: 8", "cores: @0", .outOfRange, "0"),
        Mistake("cpu: 100 ms", "cpu: @100", .badValue, "100"),
        Mistake("origin: plans", "origin: @guessed", .badValue, "guessed"),
        Mistake("phase: pre, ", "phase: @before, ", .badValue, "before"),
        Mistake("{phase: pre, cpu", "@{cpu", .missingKey, "no 'phase'"),
        Mistake("needs: [cache]", "needs: [@cash]", .unknownName, "unknown component 'cash'"),
        Mistake("wants: [configuration]", "wants: [@nobody]", .unknownName, "component 'nobody'"),
        Mistake("needs: [cache]", "needs: [@-]", .badValue, "is not a name"),
        Mistake("{phase: pre, cpu", "@{phase: pre, needs: [api], cpu", .conflict, "later phase"),
        Mistake("{phase: core,", "@{phase: service, needs: [api],", .conflict, "need each other"),
        Mistake("{phase: pre, cpu", "@{phase: pre, readiness: background, cpu", .conflict, "READY"),
        Mistake("{store: 2, signer: 1}", "{@stor: 2}", .unknownName, "shared service 'stor'"),
        Mistake("{store: 2, signer: 1}", "{store: @0}", .outOfRange, "0"),
        Mistake("attempts: 3, delay", "attempts: @0, delay", .outOfRange, "0"),
        Mistake("factor: 2, jitter", "factor: @101, jitter", .outOfRange, "101"),
        Mistake("sigma: 0.25", "sigma: @2.5", .outOfRange, "2.5"),
        Mistake("  components:", "  graph: node\n  components:", .conflict, "both 'graph' and"),
        Mistake("  cores: 8", "  cores: 8\n  costs: @lab", .conflict, "belongs to graph: node"),
        Mistake("crash-points: every-step", "crash-points: @always", .badValue, "always"),
        Mistake("region: b", "region: @c", .unknownName, "unknown region 'c'"),
        Mistake("order: sequential", "order: @random", .badValue, "random"),
        Mistake("phase: core, expect", "phase: @middle, expect", .badValue, "middle"),
        Mistake("component: api, point", "component: @ipa, point", .unknownName, "'ipa'"),
        Mistake("service: store, factor", "service: @shop, factor", .unknownName, "'shop'"),
        Mistake("component: cache, attempts", "component: @c, attempts", .unknownName, "'c'"),
        Mistake("factor: 1.5", "factor: @0.5", .outOfRange, "0.5"),
        Mistake(
            "{kind: init.crash, at: 1 s, component: api,",
            "@{kind: init.crash, at: 1 s, component: api, phase: core,",
            .conflict,
            "both 'component' and 'phase'"
        ),
        Mistake(
            "{kind: init.crash, at: 1 s, component: api,",
            "@{kind: init.crash, at: 1 s,",
            .missingKey,
            "does not say where"
        ),
        Mistake(
            "{kind: node.restart, at: 1 s}",
            "@{kind: node.pause, at: 1 s, for: 1 s}",
            .conflict,
            "does not apply to the workload 'boot'"
        ),
        Mistake("  crash-points: every-step\n", "", .conflict, "without crash-points"),
        Mistake(
            "[boot-outcome-matches-criticality,",
            "[@no-half-migration, boot-outcome-matches-criticality,",
            .conflict,
            "without graph: node"
        ),
        Mistake("  cores: 8", "  cores: 8\n  start: @warm", .conflict, "keep nothing"),
        Mistake(
            "[boot-outcome-matches-criticality,",
            "[@transfer-identical, boot-outcome-matches-criticality,",
            .conflict,
            "does not apply"
        ),
    ]

    @Test(arguments: mistakes)
    func mistakesAreFound(_ mistake: Mistake) throws {
        let place = try #require(Samples.boot.range(of: mistake.original))
        var text = Samples.boot.replacingCharacters(in: place, with: mistake.replacement)
        let mark = text.range(of: "@")
        if let mark { text.removeSubrange(mark) }
        let diagnostics = Samples.diagnostics(text)
        #expect(diagnostics.count == 1, "\(diagnostics)")
        let found = try #require(diagnostics.first)
        #expect(found.category == mistake.category, "\(found)")
        #expect(found.message.contains(mistake.message), "\(found)")
        guard let mark else { return }
        let before = text[..<mark.lowerBound]
        #expect(found.location.line == before.count { $0 == "\n" } + 1, "\(found)")
        let column = before.distance(
            from: before.lastIndex(of: "\n").map(before.index(after:)) ?? before.startIndex,
            to: before.endIndex
        )
        #expect(found.location.column == column + 1, "\(found)")
    }

    @Test func bootsAndMachinesDoNotMix() throws {
        // Goal: faults of boots are refused where nobody boots.
        let text = Samples.minimal + "faults: [{kind: init.config-torn, at: 1 s}]\n"
        let diagnostics = Samples.diagnostics(text)
        #expect(diagnostics.count == 1)
        #expect(diagnostics.first?.category == .conflict)
    }

    @Test func theFinerGraphKeepsThePlansTimes() throws {
        // Goal: for every component of the plans the parts of boot-v2 sum to its time, so that the
        // finer graph is faster by its shape and not by smaller times.
        func components(_ name: String) throws -> [Scenario.BootWorkload.Component] {
            let path = Samples.folder.appendingPathComponent("study/\(name).yaml").path
            let scenario = try ScenarioFile.load(path: path)
            guard case .boot(let boot) = scenario.workload else { return [] }
            return boot.components
        }
        let plans = try components("boot-plan-graph")
        let finer = try components("boot-v2")
        #expect(plans.count == 13)
        #expect(plans.reduce(.zero) { $0 + $1.cpu + $1.wait } == .milliseconds(21_400))
        for plan in plans {
            let parts = finer.filter { $0.part == plan.specification.name }
            let sum = parts.reduce(Interval.zero) { $0 + $1.cpu + $1.wait }
            #expect(sum == plan.cpu + plan.wait, "\(plan.specification.name)")
        }
        let names = plans.map(\.specification.name)
        for part in finer {
            #expect(part.part.map(names.contains) == true, "\(part.specification.name)")
            #expect(part.split == .assumed, "\(part.specification.name)")
        }
    }
}
