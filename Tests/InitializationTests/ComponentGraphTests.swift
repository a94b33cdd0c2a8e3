import Initialization
import Testing
import Units

// Goal: a list of components becomes a graph, or an error that names the way to the mistake.
// Method: small graphs with known answers, and the plans' graph, whose sums are published.
@Suite struct ComponentGraphTests {
    private func component(
        _ name: String,
        _ needs: String...,
        phase: BootPhase = .core,
        optional: [String] = [],
        holdsReadiness: Bool = true
    ) -> ComponentSpecification {
        ComponentSpecification(
            name: name,
            phase: phase,
            dependencies: needs,
            optionalDependencies: optional,
            holdsReadiness: holdsReadiness
        )
    }

    @Test func aCycleIsNamedAsAPath() {
        #expect(throws: GraphError.cycle(["b", "d", "c", "b"])) {
            try ComponentGraph([
                component("a"), component("b", "d"), component("c", "b"), component("d", "c", "a"),
                component("e", "d"),
            ])
        }
        #expect(throws: GraphError.cycle(["a", "a"])) { try ComponentGraph([component("a", "a")]) }
        #expect(throws: GraphError.cycle(["a", "b", "a"])) {
            try ComponentGraph([component("a", optional: ["b"]), component("b", "a")])
        }
    }

    @Test func aMissingComponentIsNamedWithTheWayThereAndTheNearestName() {
        let error = #expect(throws: GraphError.self) {
            try ComponentGraph([
                component("api", "queue"), component("queue", "databse"), component("database"),
            ])
        }
        #expect(
            error
                == .missing(
                    name: "databse",
                    path: ["api", "queue", "databse"],
                    nearest: "database"
                )
        )
        #expect(
            error?.description
                == "there is no component 'databse' (api -> queue -> databse); did you mean 'database'?"
        )
        #expect(throws: GraphError.missing(name: "zzz", path: ["a", "zzz"], nearest: nil)) {
            try ComponentGraph([component("a", "zzz")])
        }
    }

    @Test func duplicatesAndLaterPhasesAreRefused() {
        #expect(throws: GraphError.duplicate("a")) {
            try ComponentGraph([component("a"), component("b"), component("a")])
        }
        #expect(throws: GraphError.laterPhase(component: "a", dependency: "b")) {
            try ComponentGraph([component("a", "b", phase: .pre), component("b", phase: .post)])
        }
    }

    @Test func theOrderPutsDependenciesFirstAndPhasesInOrder() throws {
        let graph = try ComponentGraph([
            component("post", "b", phase: .post), component("b", "a"), component("c"),
            component("a"), component("pre", phase: .pre),
        ])
        #expect(graph.order.map { graph.components[$0].name } == ["pre", "c", "a", "b", "post"])
        #expect(
            graph.levels.map { $0.map { graph.components[$0].name } } == [
                ["c", "a", "pre"], ["b"], ["post"],
            ]
        )
    }

    @Test func emptyAndSingleGraphsAreGraphs() throws {
        let empty = try ComponentGraph([])
        #expect(empty.levels.isEmpty)
        #expect(empty.criticalPath([]).length == .zero)
        let single = try ComponentGraph([component("a")])
        #expect(single.criticalPath([.seconds(2)]).components == ["a"])
    }

    @Test func theCriticalPathIsTheLongestChainThatHoldsReadiness() throws {
        let graph = try ComponentGraph([
            component("a"), component("b", "a"), component("model", "a", holdsReadiness: false),
            component("c", "b"),
        ])
        let path = graph.criticalPath([.seconds(1), .seconds(2), .seconds(50), .seconds(3)])
        #expect(path == CriticalPath(components: ["a", "b", "c"], length: .seconds(6)))
    }

    @Test func levelBarriersKeepPhasesApart() throws {
        let graph = try ComponentGraph([
            component("a"), component("b", "a"), component("late", phase: .service),
            component("model", holdsReadiness: false),
        ])
        let waits = graph.waits(in: .levelParallel)
        #expect(waits == [[], [0], [1], []])
        #expect(graph.waits(in: .sequential) == [[], [0], [3], [1]])
        #expect(graph.waits(in: .dependencyReady) == [[], [0], [], []])
    }

    // The published sums of the plans' graph: 21.4 s, 13.8 s and 12.4 s.
    @Test func thePlansGraphHasThePublishedSums() throws {
        let graph = try ComponentGraph(PlansGraph.components.map(\.specification))
        let durations = PlansGraph.components.map(\.duration)
        #expect(durations.reduce(.zero, +) == .milliseconds(21_400))
        #expect(graph.criticalPath(durations).length == .milliseconds(12_400))
        #expect(
            graph.criticalPath(durations).components == [
                "environment", "configuration", "logger", "resources", "security", "network",
                "dwcp", "api", "post",
            ]
        )
    }
}

/// The plans' components with their illustrative times.
enum PlansGraph {
    static let components: [(specification: ComponentSpecification, duration: Interval)] = [
        entry("environment", .pre, [], 100),
        entry("configuration", .pre, ["environment"], 1800),
        entry("logger", .pre, ["configuration"], 200),
        entry("resources", .pre, ["logger"], 200),
        entry("security", .core, ["resources"], 1200),
        entry("database", .core, ["security"], 3200),
        entry("cache", .core, ["security"], 2100),
        entry("network", .core, ["security"], 1800),
        entry("dwcp", .core, ["security", "network"], 2800),
        entry("orchestration", .service, ["dwcp", "database"], 2100),
        entry("api", .service, ["dwcp", "security"], 2500),
        entry("monitoring", .service, ["network"], 1600),
        entry("post", .post, ["orchestration", "api", "monitoring", "cache"], 1800),
    ]

    private static func entry(
        _ name: String,
        _ phase: BootPhase,
        _ needs: [String],
        _ milliseconds: Int64
    ) -> (specification: ComponentSpecification, duration: Interval) {
        (
            ComponentSpecification(
                name: name,
                phase: phase,
                dependencies: needs,
                timeout: .seconds(60)
            ), .milliseconds(milliseconds)
        )
    }
}
