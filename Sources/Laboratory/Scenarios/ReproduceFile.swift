import Measurements
public import Units

/// A failure made small, as a file: which seed of which scenario fails, with which of its faults,
/// nodes and operations, until when. `novalab shrink` writes it, `novalab replay` runs it.
public struct ReproduceFile: Hashable, Sendable {
    /// The version of the format; 1 is the only one.
    public static let formatVersion = 1

    /// The scenario file, relative to this file's folder.
    public var scenario: String
    /// Of the scenario; another one would be another failure.
    public var digest: String
    public var variant: String
    public var seed: UInt64
    /// How it fails: a kind such as `safety`, a rule and the shape of its message.
    public var kind: String
    public var rule: String
    public var shape: String
    public var faults: [Fault]
    /// Regions with fewer nodes than in the scenario.
    public var regions: [Region]
    public var operations: Int?
    public var until: Instant?
    /// A known defect that was planted, by its name; `nil` for the code as it is.
    public var defect: String?

    /// A fault that is carried out: rule and occurrence as `2.0`, and a comment for people.
    public struct Fault: Hashable, Sendable {
        public var name: String
        public var comment: String

        public init(name: String, comment: String) {
            self.name = name
            self.comment = comment
        }
    }

    public struct Region: Hashable, Sendable {
        public var name: String
        public var nodes: Int

        public init(name: String, nodes: Int) {
            self.name = name
            self.nodes = nodes
        }
    }

    public init(
        scenario: String,
        digest: String,
        variant: String,
        seed: UInt64,
        kind: String,
        rule: String,
        shape: String,
        faults: [Fault],
        regions: [Region],
        operations: Int?,
        until: Instant?,
        defect: String? = nil
    ) {
        self.scenario = scenario
        self.digest = digest
        self.variant = variant
        self.seed = seed
        self.kind = kind
        self.rule = rule
        self.shape = shape
        self.faults = faults
        self.regions = regions
        self.operations = operations
        self.until = until
        self.defect = defect
    }

    /// Whether a file's text claims to be one, so that its errors are told in these terms.
    public static func isMeant(by text: String) -> Bool {
        text.split(separator: "\n").contains { $0.hasPrefix("reproduce:") }
    }

    /// Reads and checks the text of such a file. Comments of faults are not read.
    public static func parse(
        _ text: String,
        file: String
    ) throws(ScenarioError) -> ReproduceFile {
        var report = DiagnosticReport(file: file, text: text)
        if let document = DocumentReader.read(text, into: &report) {
            let checked = ShapeChecker.check(document, .record(shape), path: "", &report)
            if report.isEmpty, case .record(let record) = checked.content {
                return ReproduceFile(record)
            }
        }
        throw ScenarioError(diagnostics: report.diagnostics)
    }

    private init(_ record: CheckedRecord) {
        let failure = record.record("failure")
        self.init(
            scenario: record.text("scenario") ?? "",
            digest: record.text("digest") ?? "",
            variant: record.text("variant") ?? "",
            seed: record.seed("seed"),
            kind: failure.text("kind") ?? "",
            rule: failure.text("rule") ?? "",
            shape: failure.text("shape") ?? "",
            faults: record.list("faults").compactMap(\.text).map { Fault(name: $0, comment: "") },
            regions: (record["nodes"]?.dictionary ?? []).compactMap { entry in
                guard case .scalar(.integer(let nodes)) = entry.value.content else { return nil }
                return Region(name: entry.name, nodes: Int(nodes))
            },
            operations: record.optionalInteger("operations"),
            until: record.optionalInterval("until").map { Instant.zero + $0 },
            defect: record.text("defect")
        )
    }

    /// The file; reading it gives an equal value but for the comments.
    public var text: String {
        var yaml = YAMLText()
        yaml.field("reproduce", ReproduceFile.formatVersion)
        yaml.quoted("scenario", scenario)
        yaml.field("digest", digest)
        yaml.field("variant", YAMLText.name(variant))
        yaml.field("seed", seed)
        if let defect { yaml.field("defect", YAMLText.name(defect)) }
        yaml.mapping("failure") { yaml in
            yaml.field("kind", kind)
            yaml.quoted("rule", rule)
            yaml.quoted("shape", shape)
        }
        var text = yaml.text
        if faults.isEmpty {
            text += "faults: []\n"
        } else {
            text += "faults:\n"
            for fault in faults { text += "  - \"\(fault.name)\"  # \(fault.comment)\n" }
        }
        if !regions.isEmpty {
            let sizes = regions.map { "\(YAMLText.name($0.name)): \($0.nodes)" }
            text += "nodes: {\(sizes.joined(separator: ", "))}\n"
        }
        if let operations { text += "operations: \(operations)\n" }
        if let until { text += "until: \(until)\n" }
        return text
    }

    private static let shape = RecordShape(
        title: "reproduce file",
        fields: [
            Field("reproduce", .integer(1...1), .required, "The version of the format."),
            Field("scenario", .text, .required, "The scenario file, seen from this file's folder."),
            Field("digest", .name, .required, "Of the scenario, as `novalab check --json` has it."),
            Field("variant", .name, .required, "The variant that fails."),
            Field("seed", .seed, .required, "The seed that fails."),
            Field(
                "defect",
                .name,
                .optional,
                "A known defect that is planted, as `novalab bench detection` names it."
            ),
            Field(
                "failure",
                .record(
                    RecordShape(
                        title: "failure",
                        fields: [
                            Field(
                                "kind",
                                .words(FailureSignature.Kind.allCases.map(\.rawValue)),
                                .required,
                                "What kind of failure it is."
                            ),
                            Field("rule", .text, .required, "What was violated."),
                            Field("shape", .text, .required, "The message without its numbers."),
                        ]
                    )
                ),
                .required,
                "How it fails."
            ),
            Field(
                "faults",
                .list(.scalar(.name), minimum: 0),
                .required,
                "The faults that are carried out: rule and occurrence, from zero."
            ),
            Field(
                "nodes",
                .dictionary(.scalar(.integer(1...10_000)), minimum: 0),
                .empty,
                "Regions with another number of nodes."
            ),
            Field("operations", .integer(1...1_000_000_000), .optional, "Of the workload."),
            Field(
                "until",
                .duration(allowsZero: false),
                .optional,
                "The run stops there."
            ),
        ]
    )
}
