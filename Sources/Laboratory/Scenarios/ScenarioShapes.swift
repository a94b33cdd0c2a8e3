import Initialization

/// The keys of the scenario language.
enum ScenarioShapes {
    static let scenario = RecordShape(
        title: "scenario",
        fields: [
            Field("version", .integer(1...1), .required, "The version of the language."),
            Field("name", .name, .required, "Identifies the experiment in the archive."),
            Field(
                "seed",
                .seed,
                .text("1"),
                "The seed of the first replication; the others use the following seeds."
            ),
            Field("environment", environment, .text("simulated"), "Where the machines run."),
            Field(
                "hardware",
                .name,
                .text("lab-vm"),
                "A profile under scenarios/hardware, without its extension."
            ),
            Field("topology", .record(topology), .required, "Regions, nodes and links."),
            Field("workload", .tagged(workload), .required, "What the nodes do."),
            Field(
                "system",
                .record(system),
                .empty,
                "The configuration of the code under test; variants patch it."
            ),
            Field(
                "variants",
                .dictionary(.patch(system), minimum: 0),
                .empty,
                "Named patches that are merged onto system."
            ),
            Field(
                "cross-traffic",
                .list(.record(crossTraffic), minimum: 0),
                .empty,
                "Flows of others on the links."
            ),
            Field("faults", .list(.tagged(fault), minimum: 0), .empty, "What breaks, and when."),
            Field(
                "recovery",
                .record(recovery),
                .optional,
                "When faults heal, what must happen then, and what they must not destroy."
            ),
            Field("swarm", .record(swarm), .optional, "What each seed draws anew."),
            Field(
                "invariants",
                .list(.scalar(.words(Scenario.Invariant.allCases.map(\.rawValue))), minimum: 0),
                .empty,
                "What must hold in every run."
            ),
            Field(
                "sometimes",
                .list(.scalar(.text), minimum: 0),
                .empty,
                "What a chaos campaign must have met at least once, by the names of markers."
            ),
            Field(
                "targets",
                .list(.record(target), minimum: 0),
                .empty,
                "The figures that decide about GO."
            ),
            Field(
                "envelope",
                .words(Scenario.EnvelopeUse.allCases.map(\.rawValue)),
                .text("judged"),
                "Whether links outside the calibration envelope keep a simulation from a GO."
            ),
            Field("budget", .record(budget), .empty, "How much time and how many replications."),
        ]
    )

    private static let environment = ScalarKind.choice([
        ScalarKind.Choice("simulated"),
        ScalarKind.Choice("sockets"),
        ScalarKind.Choice("rdma"),
    ])

    static let system = RecordShape(
        title: "system",
        fields: [
            Field(
                "transport",
                .record(transport),
                .empty,
                "How a transfer uses the network."
            ),
            Field("encoding", .tagged(encoding), .text("none"), "How memory pages are encoded."),
            Field(
                "migration",
                .record(migration),
                .empty,
                "When a live migration pauses the source."
            ),
            Field(
                "initialization",
                .record(initialization),
                .empty,
                "How a node starts its components."
            ),
            Field(
                "consensus",
                .record(consensus),
                .empty,
                "How replicas of a group agree."
            ),
        ]
    )

    private static let transport = RecordShape(
        title: "transport",
        fields: [
            Field("streams", .streams, .text("auto"), "Parallel streams of one transfer."),
            Field(
                "congestion",
                .words(Scenario.SystemConfiguration.Transport.Congestion.allCases.map(\.rawValue)),
                .text("cubic"),
                "The congestion control of every stream."
            ),
            Field(
                "chunk",
                .automaticSize(1024...(512 << 10)),
                .text("auto"),
                "The payload of one chunk; auto is half a bandwidth-delay product, and with streams: auto half of a stream's."
            ),
            Field(
                "window",
                // A chunk, and a batch of pages, fits into half of the smallest window.
                .size((2 << 20)...(1 << 30)),
                .text("32 MiB"),
                "The most bytes beyond what the receiver has consumed, over all streams of a transfer."
            ),
            Field(
                "tls",
                .flag,
                .text("false"),
                "Streams over TLS 1.3 with certificates of the run; on sockets only."
            ),
            Field(
                "ecn",
                .flag,
                .text("false"),
                "Whether the nodes' TCP uses explicit congestion notification."
            ),
            Field(
                "pacing",
                .rate,
                .optional,
                "The rate at which each stream sends at most, evenly; without it congestion control decides."
            ),
            Field(
                "mode",
                .words(Scenario.SystemConfiguration.Transport.Mode.allCases.map(\.rawValue)),
                .optional,
                "The kind of path whose habits a transfer follows; auto measures it on the way."
            ),
            Field(
                "deadline",
                .duration(allowsZero: false),
                .optional,
                "A migration's transfer fails when it is not over so long after its start."
            ),
        ]
    )

    private static let encoding = TaggedShape(
        title: "encoding",
        tag: "kind",
        cases: [
            TaggedShape.Case("none", "Raw pages."),
            TaggedShape.Case(
                "hierarchical",
                "Zero, duplicate, unchanged and delta pages, compressed in batches.",
                [
                    Field(
                        "level",
                        .words(["0", "1", "3", "9"]),
                        .text("3"),
                        "The zstd level; 0 leaves batches uncompressed."
                    ),
                    Field(
                        "batch-pages",
                        .integer(1...240),
                        .text("64"),
                        "The pages that are compressed together."
                    ),
                ]
            ),
        ]
    )

    private static let migration = RecordShape(
        title: "migration",
        fields: [
            Field("max-rounds", .integer(1...1000), .text("30"), "Pre-copy rounds at most."),
            Field(
                "downtime-goal",
                .duration(allowsZero: false),
                .text("300 ms"),
                "Pause once the rest is expected to need no longer than this."
            ),
        ]
    )

    private static let target = RecordShape(
        title: "target",
        fields: [
            Field("metric", .name, .required, "A metric of the catalogue."),
            Field(
                "expect",
                .expectation,
                .required,
                "A statistic, an operator and a value with its unit."
            ),
            Field("variant", .name, .optional, "Only this variant; without it, every variant."),
            Field(
                "compare",
                .list(.scalar(.name), minimum: 2),
                .optional,
                "Two variants, paired by seed."
            ),
            Field("link", .text, .optional, "Only samples of this link."),
            Field("region", .name, .optional, "Only samples of this region."),
            Field(
                "phase",
                .words(BootPhase.allCases.map(\.rawValue)),
                .optional,
                "Only samples of this phase of a boot."
            ),
            Field("transfer", .name, .optional, "Only samples of the transfer of this name."),
            Field(
                "confidence",
                .share(.open),
                .text("95 %"),
                "Of the interval whose bound is compared."
            ),
        ]
    )

    private static let budget = RecordShape(
        title: "budget",
        fields: [
            Field(
                "wall",
                .duration(allowsZero: false),
                .text("10 min"),
                "Real time for all replications of all variants."
            ),
            Field(
                "replications",
                .record(
                    RecordShape(
                        title: "replications",
                        fields: [
                            Field("min", .integer(2...100_000), .text("10"), "At least this many."),
                            Field(
                                "max",
                                .integer(2...100_000),
                                .text("100"),
                                "At most this many."
                            ),
                            Field(
                                "relative-half-width",
                                .share(.open),
                                .text("5 %"),
                                "Stop once every gated interval is this narrow."
                            ),
                        ]
                    )
                ),
                .empty,
                "The number of seeds of each variant."
            ),
        ]
    )
}
