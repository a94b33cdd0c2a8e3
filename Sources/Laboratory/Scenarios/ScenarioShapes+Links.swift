import LinkModel

/// The keys of rates and queues.
extension ScenarioShapes {
    static let rateDocumentation =
        "Bits per second, headers included: fixed, along a trace, or generated from the seed."

    /// The length of a generated trace.
    private static let length = Field(
        "length",
        .duration(allowsZero: false),
        .text("10 min"),
        "After this the generated trace repeats."
    )

    static let rate = TaggedShape(
        title: "rate",
        tag: "generate",
        cases: [
            TaggedShape.Case(
                "fixed",
                "Always the same.",
                [Field("value", .rate, .required, "Bits per second, headers included.")]
            ),
            TaggedShape.Case("trace", "As a file says.", trace),
            TaggedShape.Case("markov", "One of several rates at random, each for a while.", markov),
            TaggedShape.Case("diurnal", "A daily wave, and a deviation with memory.", diurnal),
            TaggedShape.Case("outages", "A fixed rate that fails now and then.", outages),
        ],
        scalarKey: "value",
        impliedWords: ["value": "fixed", "trace": "trace"]
    )

    static let trace = [
        Field(
            "trace",
            .text,
            .required,
            "A name that novalab dataset list prints, or a file's path from this file's folder."
        ),
        Field(
            "ending",
            .words(RateTrace.Ending.allCases.map(\.rawValue)),
            .text("repeat"),
            "What comes after the trace's end: the trace again, or its last rate for ever."
        ),
        Field("digest", .text, .optional, "The content that the trace must have."),
    ]

    private static let markov = [
        Field("rates", .list(.scalar(.rate), minimum: 1), .required, "The rates to choose from."),
        Field(
            "dwell",
            .duration(allowsZero: false),
            .required,
            "How long a rate stays, on average."
        ),
        length,
    ]

    private static let diurnal = [
        Field("mean", .rate, .required, "The mean rate."),
        Field("amplitude", .share(.belowOne), .text("0 %"), "Of the daily wave, of the mean."),
        Field("period", .duration(allowsZero: false), .text("24 h"), "Of the daily wave."),
        Field("deviation", .share(.belowOne), .text("10 %"), "Standard deviation, of the mean."),
        Field("correlation", .share(.belowOne), .text("90 %"), "Of a step with the next."),
        Field("step", .duration(allowsZero: false), .text("1 s"), "How long a rate stays."),
        length,
    ]

    private static let outages = [
        Field("value", .rate, .required, "Bits per second while the link is up."),
        Field("up", .duration(allowsZero: false), .required, "Between outages, on average."),
        Field(
            "down",
            .duration(allowsZero: false),
            .required,
            "The length of an outage, on average."
        ),
        length,
    ]

    static let reordering = RecordShape(
        title: "reorder",
        fields: [
            Field("rate", .share(.closed), .required, "The share of packets that are held back."),
            Field("hold", .duration(allowsZero: false), .required, "How long they are held back."),
        ]
    )

    static func queue(limit: String) -> TaggedShape {
        let limit = Field(
            "limit",
            .queueLimit,
            .text(limit),
            "Bytes, a time, or bandwidth-delay products."
        )
        return TaggedShape(
            title: "queue",
            tag: "kind",
            cases: [
                TaggedShape.Case("droptail", "What does not fit is dropped.", [limit]),
                TaggedShape.Case(
                    "codel",
                    "Drops or marks while packets wait too long (RFC 8289).",
                    [limit] + controlledDelay
                ),
                TaggedShape.Case(
                    "fq-codel",
                    "A queue for each flow, in turn, each with CoDel (RFC 8290).",
                    [limit] + controlledDelay + fairQueueing
                ),
                TaggedShape.Case(
                    "fq",
                    "A queue for each flow, in turn; the longest is dropped from when all is full.",
                    [limit] + fairQueueing
                ),
                TaggedShape.Case(
                    "pfc",
                    "Beyond the limit senders are stopped (IEEE 802.1Qbb); with streams: rdma.",
                    [
                        limit,
                        Field(
                            "resume",
                            .share(.closed),
                            .text("50 %"),
                            "The share of the limit at which senders go on."
                        ),
                    ]
                ),
            ],
            impliedWords: ["limit": "droptail"]
        )
    }

    static let streams = TaggedShape(
        title: "streams",
        tag: "over",
        cases: [
            TaggedShape.Case("tcp", "Over TCP."),
            TaggedShape.Case(
                "rdma",
                "Over reliable connections of RDMA (RoCE version 2), by an uncalibrated model.",
                [
                    Field(
                        "mtu",
                        .integer(256...4096),
                        .text("1024"),
                        "Payload of a full packet: 256, 512, 1024, 2048 or 4096 bytes."
                    ),
                    Field(
                        "ring",
                        .size((64 << 10)...(1 << 30)),
                        .text("1 MiB"),
                        "What a receiver registers for each node that sends to it."
                    ),
                ]
            ),
        ]
    )

    private static let controlledDelay = [
        Field(
            "target",
            .duration(allowsZero: false),
            .text("5 ms"),
            "The waiting time that may stand."
        ),
        Field(
            "interval",
            .duration(allowsZero: false),
            .text("100 ms"),
            "How long it may stand above the target."
        ),
        Field(
            "ecn",
            .flag,
            .text("false"),
            "Whether packets of senders that understand marks are marked instead of dropped."
        ),
    ]

    private static let fairQueueing = [
        Field("quantum", .integer(256...1_000_000), .text("1514"), "Bytes of a flow's turn."),
        Field("queues", .integer(1...65_536), .text("1024"), "Queues that flows are hashed to."),
    ]
}
