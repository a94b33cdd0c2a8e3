extension ScenarioShapes {
    static let requests = [
        Field("groups", .integer(1...1000), .text("1"), "Replicated groups, each on its own."),
        Field("replicas", .integer(1...25), .text("5"), "Replicas of each group."),
        Field(
            "witnesses",
            .integer(0...12),
            .text("0"),
            "Replicas of each group that vote without holding commands or state; a minority."
        ),
        Field("load", .record(load), .required, "What clients ask for, however long answers take."),
        Field("duration", .record(steady), .required, "How long requests are sent."),
        Field(
            "membership",
            .record(membership),
            .optional,
            "Administrators who change the membership of each group meanwhile."
        ),
    ]

    private static let membership = RecordShape(
        title: "membership",
        fields: [
            Field(
                "founders",
                .integer(1...25),
                .optional,
                "Replicas that vote from the beginning; all unless given. The others are spares."
            ),
            Field(
                "least",
                .integer(1...25),
                .optional,
                "Voters are not removed below this; 3, or all founders, unless given."
            ),
            Field(
                "every",
                .duration(allowsZero: false),
                .required,
                "Between two orders of one administrator, on average."
            ),
            Field(
                "style",
                .words(Scenario.RequestWorkload.Membership.Style.allCases.map(\.rawValue)),
                .text("mixed"),
                "One node at a time, any set through a joint phase, or either."
            ),
            Field(
                "transfers",
                .share(.closed),
                .text("20 %"),
                "How many of the orders hand leadership over instead."
            ),
            Field(
                "administrators",
                .integer(1...16),
                .text("1"),
                "Administrators of each group, who do not know of each other."
            ),
        ]
    )

    private static let load = RecordShape(
        title: "load",
        fields: [
            Field(
                "arrival",
                .words(Scenario.RequestWorkload.Arrival.allCases.map(\.rawValue)),
                .text("poisson"),
                "How the distances of requests vary."
            ),
            Field("rate", .frequency, .required, "Requests of one group in all, such as 50 /s."),
            Field(
                "clients",
                .integer(1...10_000),
                .text("10"),
                "Sessions of one group in all, each with one request at a time."
            ),
            Field(
                "mix",
                .record(
                    RecordShape(
                        title: "mix",
                        fields: Scenario.RequestWorkload.Operation.allCases.map {
                            Field($0.rawValue, .share(.positive), .optional, documentation(of: $0))
                        }
                    )
                ),
                .optional,
                "The share of each operation, 100 % in sum; 50 % get, 30 % put, 20 % cas unless given."
            ),
            Field("keys", .integer(1...1_000_000), .text("10"), "Keys that requests draw from."),
            Field("value", .size(1...(64 << 10)), .text("16 B"), "The length of written values."),
            Field(
                "timeout",
                .duration(allowsZero: false),
                .text("2 s"),
                "A request without an answer by then has failed."
            ),
            Field(
                "place",
                .list(.scalar(.name), minimum: 1),
                .optional,
                "Regions on whose last node clients run; the last region unless given."
            ),
        ]
    )

    private static func documentation(
        of operation: Scenario.RequestWorkload.Operation
    ) -> String {
        switch operation {
        case .get: "Reads of one key."
        case .put: "Writes of one key."
        case .cas: "Writes of one key if it holds an expected value."
        case .append: "Bytes added to the value of a key."
        case .delete: "Removals of a key."
        case .scan: "Reads of a range of keys."
        }
    }

    static let consensus = RecordShape(
        title: "consensus",
        fields: [
            Field(
                "carrier",
                .words(Scenario.SystemConfiguration.Consensus.Carrier.allCases.map(\.rawValue)),
                .text("streams"),
                "What messages between replicas travel on."
            ),
            Field(
                "heartbeat",
                .duration(allowsZero: false),
                .text("100 ms"),
                "Between signs of life of a leader."
            ),
            Field(
                "election",
                .span(allowsZero: false),
                .text("1..2 s"),
                "How long a replica waits without a leader before it stands for election."
            ),
            Field(
                "reads",
                .words(Scenario.SystemConfiguration.Consensus.Reads.allCases.map(\.rawValue)),
                .text("index"),
                "How a read sees every write before it."
            ),
            Field(
                "snapshot-entries",
                .integer(1...100_000_000),
                .text("10000"),
                "Entries between two snapshots."
            ),
            Field(
                "leader-regions",
                .list(.scalar(.name), minimum: 1),
                .optional,
                "Regions whose replicas lead while one of them can; nobody is preferred unless given."
            ),
            Field(
                "group-commit",
                .flag,
                .text("false"),
                "Whether entries are committed only once replicas of two regions hold them."
            ),
        ]
    )
}
