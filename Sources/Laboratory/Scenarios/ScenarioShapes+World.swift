extension ScenarioShapes {
    static let topology = RecordShape(
        title: "topology",
        fields: [
            Field(
                "regions",
                .dictionary(.record(region), minimum: 1),
                .required,
                "Places, numbered in file order."
            ),
            Field(
                "links",
                .list(.record(link), minimum: 0),
                .empty,
                "The pipes between regions."
            ),
        ]
    )

    private static let region = RecordShape(
        title: "region",
        fields: [
            Field("nodes", .integer(1...10_000), .text("1"), "How many nodes live here."),
            Field(
                "labels",
                .list(.scalar(.name), minimum: 0),
                .empty,
                "Words that fault selections may name."
            ),
            Field(
                "local",
                .record(RecordShape(title: "local path", fields: localPath)),
                .empty,
                "The path that the nodes of the region share among themselves."
            ),
        ]
    )

    static let crossTraffic = RecordShape(
        title: "cross-traffic",
        fields: [
            Field("from", .name, .required, "The region that sends."),
            Field("to", .name, .required, "The region that receives."),
            Field("flows", .integer(1...256), .text("1"), "Endless TCP transfers."),
            Field(
                "congestion",
                .words(["cubic", "newreno", "bbr"]),
                .text("cubic"),
                "The congestion control of every flow."
            ),
            Field(
                "ecn",
                .flag,
                .text("false"),
                "Whether the flows use explicit congestion notification."
            ),
            Field(
                "start",
                .duration(allowsZero: true),
                .text("0 s"),
                "When the first flow opens; the others follow 10 ms after one another."
            ),
        ]
    )

    static let link = RecordShape(
        title: "link",
        fields: [
            Field(
                "between",
                .list(.scalar(.name), minimum: 2),
                .optional,
                "Two regions; the link goes both ways."
            ),
            Field("from", .name, .optional, "The sending region of a one-way link."),
            Field("to", .name, .optional, "The receiving region of a one-way link."),
            Field("name", .text, .optional, "For selections; from->to unless given."),
            Field(
                "rtt",
                .duration(allowsZero: false),
                .optional,
                "Round trip of a link that goes both ways; half of it each way."
            ),
            Field(
                "delay",
                .duration(allowsZero: true),
                .optional,
                "Propagation, one way."
            ),
            Field("rate", .tagged(rate), .required, rateDocumentation),
        ] + pathOptions(queue: "1 BDP")
    )

    private static let localPath =
        [
            Field(
                "delay",
                .duration(allowsZero: true),
                .text("100 us"),
                "Propagation, one way."
            ),
            Field("rate", .tagged(rate), .text("10 Gbit/s"), rateDocumentation),
        ] + pathOptions(queue: "1 MiB")

    private static func pathOptions(queue: String) -> [Field] {
        [
            Field("jitter", .tagged(jitter), .text("none"), "Random delay besides propagation."),
            Field("loss", .tagged(loss), .text("none"), "Packets lost on the way."),
            Field(
                "queue",
                .tagged(self.queue(limit: queue)),
                .text("droptail"),
                "The queue in front of the link."
            ),
            Field(
                "duplicate",
                .share(.closed),
                .text("0 %"),
                "The share of packets that arrive twice."
            ),
            Field(
                "corrupt",
                .share(.closed),
                .text("0 %"),
                "The share of packets that arrive with wrong bits; checksums drop them."
            ),
            Field(
                "reorder",
                .record(reordering),
                .optional,
                "Packets that are held back, so that later ones overtake them."
            ),
            Field(
                "background",
                .share(.belowOne),
                .text("0 %"),
                "The share of the rate that other traffic takes."
            ),
            Field(
                "fidelity",
                .words(Scenario.Fidelity.allCases.map(\.rawValue)),
                .text("packet"),
                "Simulate each packet, or connections as fluids; auto decides by their number."
            ),
            Field(
                "streams",
                .tagged(streams),
                .text("tcp"),
                "What carries streams in simulation."
            ),
        ]
    }

    private static let reorder = Field(
        "reorder",
        .flag,
        .text("false"),
        "Whether a packet may overtake an earlier one."
    )
    private static let scale = Field(
        "scale",
        .duration(allowsZero: false),
        .required,
        "The size of the delay that is added."
    )

    static let jitter = TaggedShape(
        title: "jitter",
        tag: "distribution",
        cases: [
            TaggedShape.Case("none", "No jitter."),
            TaggedShape.Case("uniform", "Between zero and scale.", [scale, reorder]),
            TaggedShape.Case(
                "normal",
                "The magnitude of a normal value with standard deviation scale.",
                [scale, reorder]
            ),
            TaggedShape.Case(
                "lognormal",
                "A median of scale, and sigma as the deviation of the logarithm.",
                [
                    Field(
                        "scale",
                        .duration(allowsZero: false),
                        .optional,
                        "The median of the added delay; one-way delay times sigma unless given."
                    ),
                    Field(
                        "sigma",
                        .number(above: 0, orEqual: false),
                        .required,
                        "The standard deviation of the logarithm."
                    ),
                    reorder,
                ]
            ),
            TaggedShape.Case(
                "pareto",
                "A heavy tail: scale times (u^(-1/shape) - 1).",
                [
                    scale,
                    Field(
                        "shape",
                        .number(above: 1, orEqual: false),
                        .required,
                        "The tail index."
                    ),
                    reorder,
                ]
            ),
        ]
    )

    static let loss = TaggedShape(
        title: "loss model",
        tag: "model",
        cases: [
            TaggedShape.Case("none", "No loss besides a full queue."),
            TaggedShape.Case(
                "bernoulli",
                "Each packet on its own, or after its predecessor.",
                [
                    lossRate,
                    Field(
                        "correlation",
                        .share(.belowOne),
                        .text("0 %"),
                        "How much a packet's fate follows its predecessor's; the rate stays."
                    ),
                ]
            ),
            TaggedShape.Case(
                "gilbert",
                "Bursts of lost packets.",
                [
                    lossRate,
                    Field(
                        "burst",
                        .number(above: 1, orEqual: true),
                        .required,
                        "Packets lost in a row, on average."
                    ),
                ]
            ),
        ]
    )

    private static let lossRate = Field(
        "rate",
        .share(.belowOne),
        .required,
        "The long-run share of lost packets."
    )

    static let workload = TaggedShape(
        title: "workload",
        tag: "kind",
        cases: [
            TaggedShape.Case("echo", "Requests that a server makes durable and answers.", echo),
            TaggedShape.Case("bulk", "One endless transfer, measured in steady state.", bulk),
            TaggedShape.Case("transfer", "An amount over ordinary byte streams.", transfer),
            TaggedShape.Case("migration", "Virtual machines that move while they run.", move),
            TaggedShape.Case("boot", "Nodes that start their components.", boot),
            TaggedShape.Case("requests", "Clients of replicated groups.", requests),
        ]
    )

    private static let ends = [
        Field("from", .name, .optional, "The region that sends; the first unless given."),
        Field("to", .name, .optional, "The region that receives; the second unless given."),
    ]

    private static let echo =
        ends + [
            Field("requests", .integer(1...1_000_000), .text("100"), "Requests of each client."),
            Field(
                "interval",
                .duration(allowsZero: false),
                .text("10 ms"),
                "Between intended send times."
            ),
            Field(
                "timeout",
                .duration(allowsZero: false),
                .text("1 s"),
                "An unanswered request is sent again after this."
            ),
            Field("attempts", .integer(1...1000), .text("10"), "How often a request is sent."),
            Field("stream", .size(0...(1 << 20)), .text("64 KiB"), "Bytes of each echoed stream."),
            Field("streams", .integer(0...1000), .text("1"), "Echoed streams of each client."),
            Field(
                "deadline",
                .duration(allowsZero: false),
                .text("60 s"),
                "Simulated time after which a run is cut off."
            ),
        ]

    private static let bulk =
        ends + [
            start,
            Field("duration", .record(steady), .required, "How long the transfer is watched."),
            transferName,
            share,
            Field(
                "beside",
                .list(.record(besideTransfer), minimum: 0),
                .empty,
                "Transfers at the same time; those from one region have one sender."
            ),
        ]

    private static let transfer =
        ends + [
            Field(
                "amount",
                .size(1...Scenario.TransferWorkload.largestAmount),
                .required,
                "Bytes of all streams together."
            ),
            Field(
                "deadline",
                .duration(allowsZero: false),
                .text("2 h"),
                "Simulated time after which a run is cut off."
            ),
        ]

    private static let start = Field(
        "start",
        .duration(allowsZero: true),
        .text("0 s"),
        "When the transfer begins: on sockets a machine may not carry all of them at once."
    )

    private static let besideTransfer = RecordShape(
        title: "transfer",
        fields: [
            Field("from", .name, .required, "The region that sends."),
            Field("to", .name, .required, "The region that receives."),
            start,
            Field("duration", .record(steady), .optional, "As that of the workload unless given."),
            transferName,
            share,
        ]
    )

    private static let transferName = Field(
        "name",
        .name,
        .optional,
        "What figures call the transfer; needed where others take its link."
    )

    private static let share = Field(
        "share",
        .record(
            RecordShape(
                title: "share",
                fields: [
                    Field(
                        "weight",
                        .integer(1...1000),
                        .text("1"),
                        "Relative to the sender's other transfers."
                    ),
                    Field("least", .rate, .optional, "It is not held back below this rate."),
                    Field("most", .rate, .optional, "It never gets more across than this."),
                ]
            )
        ),
        .optional,
        "What the transfer is entitled to among those of its sender."
    )

    static let steady = RecordShape(
        title: "duration",
        fields: [
            Field(
                "warmup",
                .automaticDuration,
                .text("auto"),
                "Left out of the figures; auto finds it by MSER-5."
            ),
            Field(
                "measure",
                .duration(allowsZero: false),
                .required,
                "The length of the measured window."
            ),
        ]
    )

    private static let move =
        ends + [
            Field(
                "memory",
                .record(
                    RecordShape(
                        title: "memory",
                        fields: [
                            Field(
                                "dataset",
                                .name,
                                .required,
                                "A data set, as novalab dataset list prints it."
                            )
                        ]
                    )
                ),
                .required,
                "Where memory and its changes come from."
            ),
            Field("count", .integer(1...10_000), .text("1"), "Migrations in a run."),
            Field("concurrency", .integer(1...1000), .text("1"), "Migrations at a time."),
            Field(
                "deadline",
                .duration(allowsZero: false),
                .text("2 h"),
                "Simulated time after which a run is cut off."
            ),
        ]
}
