import Initialization

extension ScenarioShapes {
    static let fault = TaggedShape(
        title: "fault",
        tag: "kind",
        cases: [
            TaggedShape.Case(
                "node.crash",
                "The process is gone until the fault heals.",
                when + nodes()
            ),
            TaggedShape.Case(
                "node.restart",
                "A crash that heals by itself.",
                schedule + [lasting(.text("1 s"))] + nodes()
            ),
            TaggedShape.Case(
                "node.pause",
                "The process stands still and queues its inputs.",
                schedule + [lasting(.required)] + nodes()
            ),
            TaggedShape.Case("net.down", "Links carry nothing.", when + links),
            TaggedShape.Case(
                "net.delay",
                "Links take longer.",
                when + links + [
                    Field(
                        "delay",
                        .duration(allowsZero: false),
                        .required,
                        "Added to the propagation, one way."
                    )
                ]
            ),
            TaggedShape.Case(
                "net.mtu-black-hole",
                "Links drop packets that are too long, and say nothing.",
                when + links + [
                    Field(
                        "limit",
                        .size(68...65_535),
                        .text("1280 B"),
                        "The longest packet that passes, IP header included."
                    )
                ]
            ),
            TaggedShape.Case(
                "net.loss",
                "Links lose more packets.",
                when + links + [
                    Field("loss", .tagged(loss), .required, "Besides the loss of the link.")
                ]
            ),
            TaggedShape.Case(
                "net.partition",
                "Groups of nodes lose each other.",
                when + [
                    Field(
                        "mode",
                        .words([
                            "halves", "isolate", "one-way", "majority-minority", "bridge", "ring",
                            "chained", "quorum-loss", "constrained-election", "single-link",
                        ]),
                        .text("halves"),
                        "The selected nodes against the rest, each alone, one way only, or a shape "
                            + "among the selected nodes."
                    ),
                    direction(.optional),
                    Field(
                        "period",
                        .duration(allowsZero: false),
                        .optional,
                        "The partition comes and goes: it is there for half of each period."
                    ),
                ] + nodes(pick: .optional)
            ),
        ] + moreLinks + moreNodes + clocks + disks + boots
    )

    private static let boots = [
        TaggedShape.Case(
            "init.crash",
            "The node crashes where its boot next comes to the place.",
            when + [
                Field("component", .name, .optional, "At this component; or phase."),
                Field(
                    "phase",
                    .words(BootPhase.allCases.map(\.rawValue)),
                    .optional,
                    "At the first or after the last component of this phase; or component."
                ),
                Field(
                    "point",
                    .words(BootFault.Point.allCases.map(\.rawValue)),
                    .text("before"),
                    "Before the component starts, or after it is done."
                ),
            ] + nodes()
        ),
        TaggedShape.Case(
            "init.dependency-slow",
            "A shared service needs longer for each request.",
            when + [service, factor]
        ),
        TaggedShape.Case(
            "init.dependency-down",
            "A shared service is gone, with all requests at it.",
            when + [
                service,
                Field(
                    "silence",
                    .words(["refuses", "silent"]),
                    .text("refuses"),
                    "Whether clients notice at once or by their time-out."
                ),
            ]
        ),
        TaggedShape.Case(
            "init.config-torn",
            "The node's configuration file is cut in the middle.",
            when + nodes()
        ),
        TaggedShape.Case(
            "init.fail",
            "The component's next attempts fail after their work.",
            when + [
                Field("component", .name, .required, "Which component."),
                Field("attempts", .integer(1...1000), .text("1"), "How many attempts fail."),
            ] + nodes()
        ),
        TaggedShape.Case(
            "init.slow",
            "The component's costs are higher.",
            when + [Field("component", .name, .required, "Which component."), factor] + nodes()
        ),
    ]

    private static let service = Field("service", .name, .required, "A shared service.")

    private static let factor = Field(
        "factor",
        .number(above: 1, orEqual: true),
        .required,
        "So many times longer."
    )

    static let schedule = [
        Field(
            "at",
            .span(allowsZero: true),
            .optional,
            "Once, at this time or drawn from this range."
        ),
        Field("every", .duration(allowsZero: false), .optional, "At each multiple of this."),
        Field(
            "probability",
            .share(.positive),
            .optional,
            "At each full second with this probability."
        ),
        Field(
            "mtbf",
            .duration(allowsZero: false),
            .optional,
            "Each of those that match fails by itself: the mean of its exponential times until then."
        ),
        Field(
            "until",
            .duration(allowsZero: false),
            .optional,
            "Nothing begins at this time or later, and what lasts heals."
        ),
    ]

    static let when =
        schedule + [
            lasting(.optional),
            Field(
                "mttr",
                .duration(allowsZero: false),
                .optional,
                "How long it lasts, exponential with this mean; instead of for."
            ),
        ]

    static func lasting(_ presence: Field.Presence) -> Field {
        Field(
            "for",
            .span(allowsZero: false),
            presence,
            "How long it lasts, or a range to draw from; without it, to the end."
        )
    }

    static func direction(_ presence: Field.Presence) -> Field {
        Field(
            "direction",
            .words(FaultRule.Direction.allCases.map(\.rawValue)),
            presence,
            "Which traffic of the selected nodes or regions."
        )
    }

    static func nodes(pick: Field.Presence = .text("one")) -> [Field] {
        [
            Field(
                "select",
                .record(
                    RecordShape(title: "select", fields: selectors + [Field.pick(pick), unit])
                ),
                .empty,
                "Which nodes may be struck."
            )
        ]
    }

    static let links = [
        direction(.text("both")),
        Field(
            "select",
            .record(
                RecordShape(
                    title: "select",
                    fields: [Field("link", .text, .optional, "Links of this name.")] + selectors
                        + [Field.pick(.text("one"))]
                )
            ),
            .empty,
            "Which links may be struck: those that touch what is selected."
        ),
    ]

    private static let unit = Field(
        "unit",
        .words(FaultRule.Selection.Unit.allCases.map(\.rawValue)),
        .text("node"),
        "What is picked together: nodes, or those of a region or of a label."
    )

    private static let selectors = [
        Field("region", .name, .optional, "Nodes of this region."),
        Field("role", .name, .optional, "Nodes with this role in the workload."),
        Field("label", .name, .optional, "Nodes of regions with this label."),
    ]
}

extension Field {
    fileprivate static func pick(_ presence: Presence) -> Field {
        Field("pick", .pick, presence, "How many of those that match.")
    }
}
