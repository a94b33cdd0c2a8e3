import Initialization

extension ScenarioShapes {
    static let boot = [
        Field("region", .name, .optional, "Whose nodes boot; all nodes unless given."),
        Field(
            "graph",
            .words(["node"]),
            .optional,
            "The project's own node, run for real; instead of components."
        ),
        Field(
            "components",
            .dictionary(.record(bootComponent), minimum: 1),
            .optional,
            "Models of components by name; instead of graph."
        ),
        Field("costs", .name, .optional, "A recording of real boots, for graph: node."),
        Field(
            "variation",
            .tagged(bootVariation),
            .text("none"),
            "How costs vary from boot to boot."
        ),
        Field(
            "shared",
            .dictionary(.record(sharedDependency), minimum: 0),
            .empty,
            "Services outside of the nodes, by name."
        ),
        Field(
            "stagger",
            .span(allowsZero: true),
            .text("0 s"),
            "When a node starts; drawn for each node from a range."
        ),
        Field("cores", .integer(1...4096), .optional, "Of a node; the profile's unless given."),
        Field(
            "start",
            .words(Scenario.BootWorkload.Start.allCases.map(\.rawValue)),
            .text("cold"),
            "Whether a node has an empty folder or that of an earlier life."
        ),
        Field(
            "crash-points",
            .words(Scenario.BootWorkload.CrashPoints.allCases.map(\.rawValue)),
            .text("none"),
            "Crashes that are tried one after the other."
        ),
        Field(
            "deadline",
            .duration(allowsZero: false),
            .text("10 min"),
            "Simulated time after which a run is cut off."
        ),
    ]

    private static let bootVariation = TaggedShape(
        title: "variation",
        tag: "distribution",
        cases: [
            TaggedShape.Case("none", "Costs are what the file says."),
            TaggedShape.Case(
                "lognormal",
                "A factor with median one, drawn for each cost of each boot.",
                [
                    Field(
                        "sigma",
                        .number(above: 0, orEqual: false),
                        .required,
                        "The standard deviation of the logarithm; at most 2."
                    )
                ]
            ),
        ]
    )

    private static let origins = ScalarKind.words(
        Scenario.BootWorkload.Origin.allCases.map(\.rawValue)
    )

    private static let bootComponent = RecordShape(
        title: "component",
        fields: [
            Field("phase", .words(BootPhase.allCases.map(\.rawValue)), .required, "Its phase."),
            Field(
                "needs",
                .list(.scalar(.name), minimum: 0),
                .empty,
                "Components that must be ready before it starts."
            ),
            Field(
                "wants",
                .list(.scalar(.name), minimum: 0),
                .empty,
                "Components that it waits for and does without."
            ),
            Field("cpu", .duration(allowsZero: true), .text("0 s"), "Work of one core."),
            Field("wait", .duration(allowsZero: true), .text("0 s"), "Waiting besides."),
            Field("origin", origins, .required, "Where its time comes from."),
            Field(
                "split",
                origins,
                .text("assumed"),
                "Where the division into cpu and wait, and into components, comes from."
            ),
            Field("part-of", .name, .optional, "The component of the plans it is a part of."),
            Field(
                "criticality",
                .words(Criticality.allCases.map(\.rawValue)),
                .text(Criticality.halt.rawValue),
                "What its failure means for the boot."
            ),
            Field("timeout", .duration(allowsZero: false), .text("10 s"), "Of one attempt."),
            Field("retry", .record(bootRetry), .empty, "How often a failed attempt is repeated."),
            Field(
                "readiness",
                .words(["required", "background"]),
                .text("required"),
                "Whether READY waits for it."
            ),
            Field(
                "uses",
                .dictionary(.scalar(.integer(1...10_000)), minimum: 0),
                .empty,
                "Requests to shared services, by service."
            ),
        ]
    )

    private static let bootRetry = RecordShape(
        title: "retry",
        fields: [
            Field("attempts", .integer(1...100), .text("1"), "Attempts in all."),
            Field(
                "delay",
                .duration(allowsZero: true),
                .text("1 s"),
                "Before the second attempt."
            ),
            Field(
                "factor",
                .number(above: 1, orEqual: true),
                .text("2"),
                "By which each further delay grows; at most 100."
            ),
            Field(
                "jitter",
                .share(.closed),
                .text("0 %"),
                "By which each delay is shortened or lengthened at most."
            ),
        ]
    )

    private static let sharedDependency = RecordShape(
        title: "shared dependency",
        fields: [
            Field("servers", .integer(1...10_000), .text("1"), "Requests at a time."),
            Field(
                "service-time",
                .duration(allowsZero: false),
                .required,
                "The mean time of one request."
            ),
            Field(
                "distribution",
                .words(
                    Scenario.BootWorkload.SharedDependency.Distribution.allCases.map(\.rawValue)
                ),
                .text("exponential"),
                "Of the service time."
            ),
            Field("queue", .integer(0...1_000_000), .text("1000"), "Requests that may wait."),
            Field(
                "timeout",
                .duration(allowsZero: false),
                .text("5 s"),
                "After which a client gives up."
            ),
            Field(
                "rtt",
                .duration(allowsZero: true),
                .text("1 ms"),
                "Between a node and the service."
            ),
        ]
    )

    static let initialization = RecordShape(
        title: "initialization",
        fields: [
            Field(
                "order",
                .words(StartOrder.allCases.map(\.rawValue)),
                .text(StartOrder.dependencyReady.rawValue),
                "When a component may start."
            ),
            Field(
                "concurrency",
                .integer(1...1024),
                .text("64"),
                "Components that start at the same time."
            ),
            Field(
                "boot-deadline",
                .duration(allowsZero: false),
                .text("60 s"),
                "Beyond it a boot is rolled back."
            ),
            Field(
                "rollback-deadline",
                .duration(allowsZero: false),
                .text("60 s"),
                "Of a rollback."
            ),
        ]
    )
}
