/// The keys of faults besides crashes, delays, losses and partitions.
extension ScenarioShapes {
    private static let correlation = Field(
        "correlation",
        .share(.belowOne),
        .text("0 %"),
        "Of a packet's fate with its predecessor's."
    )

    private static func rate(_ documentation: String) -> Field {
        Field("rate", .share(.positive), .required, documentation)
    }

    static let moreLinks = [
        TaggedShape.Case(
            "net.jitter",
            "Links delay each packet by a random time more.",
            when + links + [
                Field("jitter", .tagged(jitter), .required, "Besides the jitter of the link.")
            ]
        ),
        TaggedShape.Case(
            "net.duplicate",
            "Packets arrive twice.",
            when + links + [rate("The share of packets that arrive twice."), correlation]
        ),
        TaggedShape.Case(
            "net.corrupt",
            "Packets arrive with wrong bits, which checksums find.",
            when + links + [rate("The share of packets that are corrupted."), correlation]
        ),
        TaggedShape.Case(
            "net.reorder",
            "Packets are held back, so that later ones overtake them.",
            when + links + [
                rate("The share of packets that are held back."), correlation,
                Field(
                    "hold",
                    .duration(allowsZero: false),
                    .text("10 ms"),
                    "How long they are held back."
                ),
            ]
        ),
        TaggedShape.Case(
            "net.bandwidth",
            "Links carry less: rate, or share of their own rate.",
            when + links + [
                Field("rate", .rate, .optional, "Bits per second; or share."),
                Field("share", .share(.open), .optional, "Of the link's own rate; or rate."),
            ]
        ),
        TaggedShape.Case(
            "net.trace",
            "Links carry what a trace says, from its beginning.",
            when + links + trace
        ),
        TaggedShape.Case(
            "net.bufferbloat",
            "Queues are longer, and whoever fills them waits.",
            when + links + [
                Field(
                    "factor",
                    .number(above: 1, orEqual: false),
                    .text("20"),
                    "How many times as long."
                )
            ]
        ),
        TaggedShape.Case(
            "net.route-change",
            "Nothing passes for a moment, and then the way is longer.",
            when + links + [
                Field(
                    "delay",
                    .duration(allowsZero: false),
                    .required,
                    "Added to the propagation, one way."
                ),
                Field(
                    "outage",
                    .duration(allowsZero: true),
                    .text("50 ms"),
                    "How long nothing passes at first."
                ),
            ]
        ),
        TaggedShape.Case(
            "net.flap",
            "Links go down and up by turns.",
            schedule + [lasting(.required)] + links + [
                Field(
                    "period",
                    .duration(allowsZero: false),
                    .text("1 s"),
                    "From one going down to the next."
                ),
                Field("down", .share(.open), .text("50 %"), "The share of each period."),
            ]
        ),
        TaggedShape.Case(
            "net.clog",
            "What nodes send and are sent waits, and arrives when it heals.",
            schedule + [lasting(.required), direction(.text("both"))] + nodes()
        ),
        TaggedShape.Case(
            "net.swizzle",
            "Nodes are clogged one after another, and freed in another order.",
            schedule + [lasting(.required)] + nodes(pick: .text("50 %"))
        ),
        TaggedShape.Case(
            "net.reset-peer",
            "All streams of nodes break.",
            schedule + nodes()
        ),
    ]

    static let moreNodes = [
        TaggedShape.Case(
            "node.reboot",
            "Power fails, nobody is told; the node starts again when it heals.",
            schedule + [
                lasting(.text("10 s")),
                Field(
                    "disk",
                    .words(["kept", "lost"]),
                    .text("kept"),
                    "Whether what was durable is still there."
                ),
            ] + nodes()
        ),
        TaggedShape.Case(
            "node.crash-at-write",
            "The process dies while a batch is being made durable; for later it starts again.",
            when + [
                Field(
                    "write",
                    .integer(1...1_000_000),
                    .text("1"),
                    "Which batch, counted from the time of the fault."
                )
            ] + nodes()
        ),
        TaggedShape.Case(
            "node.slow-cpu",
            "Computation takes longer.",
            when + [
                Field(
                    "factor",
                    .number(above: 1, orEqual: true),
                    .text("2"),
                    "How many times as long jobs take."
                ),
                Field(
                    "step",
                    .duration(allowsZero: true),
                    .text("0 s"),
                    "What each input takes besides."
                ),
            ] + nodes()
        ),
        TaggedShape.Case(
            "node.memory",
            "Memory is short: inputs wait for pages, and the process may be killed.",
            schedule + [
                lasting(.required),
                Field(
                    "stalls",
                    .share(.closed),
                    .text("20 %"),
                    "How many inputs wait for a page that was taken away."
                ),
                Field(
                    "stall",
                    .span(allowsZero: false),
                    .text("1..20 ms"),
                    "How long each of them waits."
                ),
                Field(
                    "kill",
                    .share(.closed),
                    .text("0 %"),
                    "The chance that a node's process is killed meanwhile, until the fault heals."
                ),
            ] + nodes()
        ),
        TaggedShape.Case(
            "node.rolling-upgrade",
            "Nodes restart one after another.",
            schedule + [
                lasting(.text("5 s")),
                Field(
                    "gap",
                    .duration(allowsZero: true),
                    .text("5 s"),
                    "From one node's return to the next one's end."
                ),
            ] + nodes(pick: .text("all"))
        ),
    ]

    private static let by = Field(
        "by",
        .span(allowsZero: false),
        .required,
        "How much; drawn from a range on a logarithmic scale."
    )

    private static let sense = Field(
        "sense",
        .words(FaultRule.Sense.allCases.map(\.rawValue)),
        .text("either"),
        "Which way; a clock that is set back stands still until it has caught up."
    )

    static let clocks = [
        TaggedShape.Case(
            "clock.offset",
            "The node's clock shows more or less while it lasts.",
            when + [by, sense] + nodes()
        ),
        TaggedShape.Case(
            "clock.jump",
            "The node's clock is set once and for all.",
            schedule + [by, sense] + nodes()
        ),
        TaggedShape.Case(
            "clock.drift",
            "The node's clock is fast or slow.",
            when + [
                Field("rate", .share(.open), .required, "By how much."), sense,
            ] + nodes()
        ),
        TaggedShape.Case(
            "clock.freeze",
            "The node's clock stands still.",
            schedule + [lasting(.required)] + nodes()
        ),
        TaggedShape.Case(
            "clock.strobe",
            "The node's clock is set forward and back by turns.",
            schedule + [
                lasting(.required), by,
                Field(
                    "period",
                    .duration(allowsZero: false),
                    .text("1 s"),
                    "From one setting forward to the next."
                ),
            ] + nodes()
        ),
    ]

    private static let chance = Field("chance", .share(.positive), .required, "How likely.")

    static let disks = [
        TaggedShape.Case(
            "disk.latency",
            "Disks are slow.",
            when + [
                Field(
                    "added",
                    .duration(allowsZero: true),
                    .text("0 s"),
                    "What each batch takes besides."
                ),
                Field(
                    "slowdown",
                    .number(above: 1, orEqual: true),
                    .text("1"),
                    "How many times as long writing takes."
                ),
            ] + nodes()
        ),
        TaggedShape.Case(
            "disk.error",
            "Batches fail, and with the first one the process ends until it heals.",
            when + [
                Field(
                    "operation",
                    .words(["write", "sync"]),
                    .text("sync"),
                    "What fails."
                ),
                Field("chance", .share(.positive), .text("100 %"), "Of each batch."),
            ] + nodes()
        ),
        TaggedShape.Case(
            "disk.full",
            "The disk is full, and the process ends with the batch that does not fit.",
            when + [
                Field(
                    "remaining",
                    .size(0...(1 << 50)),
                    .text("0 B"),
                    "What still fits."
                )
            ] + nodes()
        ),
        TaggedShape.Case(
            "disk.torn-write",
            "A crash leaves parts of the batch that was being written.",
            when + nodes()
        ),
        TaggedShape.Case(
            "disk.lost-fsync",
            "Batches are reported as durable and lost by a crash.",
            when + [chance] + nodes()
        ),
        TaggedShape.Case(
            "disk.bit-rot",
            "Stored bytes change.",
            when + [chance] + nodes()
        ),
        TaggedShape.Case(
            "disk.misdirected",
            "Sectors are written to a wrong place.",
            when + [chance] + nodes()
        ),
    ]
}

/// The keys of what bounds and varies faults.
extension ScenarioShapes {
    static let recovery = RecordShape(
        title: "recovery",
        fields: [
            Field(
                "heal-at",
                .duration(allowsZero: false),
                .optional,
                "When faults end, and the time for progress begins."
            ),
            Field(
                "progress-within",
                .duration(allowsZero: false),
                .text("10 s"),
                "How soon after heal-at there must be progress."
            ),
            Field(
                "core",
                .words(Scenario.Recovery.Core.allCases.map(\.rawValue)),
                .text("all"),
                "Which nodes are well then: all, or a majority that the seed draws."
            ),
            Field(
                "data-loss",
                .words(Scenario.Recovery.DataLoss.allCases.map(\.rawValue)),
                .text("minority"),
                "On how many replicas faults may lose or spoil what was durable."
            ),
            Field("replicas", .name, .optional, "The role of the nodes with copies; all nodes."),
        ]
    )

    static let swarm = RecordShape(
        title: "swarm",
        fields: [
            Field(
                "present",
                .share(.positive),
                .text("50 %"),
                "How likely each fault of the list is there at all."
            ),
            Field(
                "intensity",
                .factors,
                .text("1"),
                "How many times as often it strikes, where it comes every so often or by chance."
            ),
            Field(
                "nodes",
                .dictionary(.scalar(.integers(1...10_000)), minimum: 0),
                .empty,
                "Numbers of nodes by region."
            ),
            Field("delay", .factors, .text("1"), "Times each link's own delay."),
            Field("rate", .factors, .text("1"), "Times each link's own rate, where it is fixed."),
            Field("loss", .shares, .optional, "In place of each link's own loss."),
            Field(
                "knobs",
                .dictionary(.list(.patch(system), minimum: 1), minimum: 0),
                .empty,
                "By name: alternatives for parts of system, of which a seed draws one."
            ),
            Field(
                "checked",
                .share(.positive),
                .text("100 %"),
                "In how many seeds the invariants whose checks cost most are checked."
            ),
            Field(
                "points",
                .record(
                    RecordShape(
                        title: "points",
                        fields: [
                            Field(
                                "enabled",
                                .share(.closed),
                                .text("25 %"),
                                "How likely a point can strike in a run."
                            ),
                            Field(
                                "strikes",
                                .share(.closed),
                                .text("25 %"),
                                "How likely it then strikes at each visit."
                            ),
                        ]
                    )
                ),
                .optional,
                "Biased points in the code under test; without it none strikes."
            ),
        ]
    )
}
