public import HardwareModel
import Machines
import Units

/// Reads hardware profiles: YAML files under `scenarios/hardware`, checked like scenario files.
public enum HardwareProfileFile {
    /// The profile of this name: `<name>.yaml` in `directory`.
    public static func load(
        named name: String,
        in directory: String
    ) throws(ScenarioError) -> HardwareProfile {
        let path = "\(directory)/\(name).yaml"
        let bytes = try ScenarioFile.contents(of: path)
        let profile = try parse(try ScenarioFile.decoded(bytes, file: path), file: path)
        return profile
    }

    /// Reads and checks the text of a profile.
    public static func parse(
        _ text: String,
        file: String
    ) throws(ScenarioError) -> HardwareProfile {
        var report = DiagnosticReport(file: file, text: text)
        if let document = DocumentReader.read(text, into: &report) {
            let checked = ShapeChecker.check(document, .record(shape), path: "", &report)
            if report.isEmpty, case .record(let record) = checked.content {
                return profile(record)
            }
        }
        throw ScenarioError(diagnostics: report.diagnostics)
    }

    private static func profile(_ record: CheckedRecord) -> HardwareProfile {
        let measured = record.record("measured")
        let speeds = record.record("mbPerSecond")
        let disk = record.record("disk")
        return HardwareProfile(
            name: record.text("name") ?? "",
            measured: HardwareProfile.Provenance(
                machine: measured.text("machine") ?? "",
                date: measured.text("date") ?? "",
                method: measured.text("method") ?? ""
            ),
            cores: record.integer("cores"),
            speeds: HardwareProfile.Speeds { speeds.number($0.rawValue) },
            disk: HardwareProfile.Disk(
                write: megabytes(disk, "write"),
                fsync: disk.interval("fsync"),
                read: disk.has("read") ? megabytes(disk, "read") : nil
            )
        )
    }

    private static func megabytes(_ record: CheckedRecord, _ key: String) -> Double {
        Double(record.rate(key).bitsPerSecond) / 8e6
    }

    static let shape = RecordShape(
        title: "hardware profile",
        fields: [
            Field("name", .name, .required, "The name by which scenarios select it."),
            Field(
                "measured",
                .record(
                    RecordShape(
                        title: "measured",
                        fields: [
                            Field("machine", .text, .required, "What was measured."),
                            Field("date", .text, .required, "The day, such as 2026-11-22."),
                            Field("method", .text, .required, "How it was measured."),
                        ]
                    )
                ),
                .required,
                "Where the figures come from."
            ),
            Field("cores", .integer(1...4096), .required, "Cores of one node."),
            Field(
                "mbPerSecond",
                .record(
                    RecordShape(
                        title: "mbPerSecond",
                        fields: WorkKind.allCases.map {
                            Field(
                                $0.rawValue,
                                .number(above: 0, orEqual: false),
                                .required,
                                "10^6 bytes per second of one core."
                            )
                        }
                    )
                ),
                .required,
                "The speed of one core for each kind of work."
            ),
            Field(
                "disk",
                .record(
                    RecordShape(
                        title: "disk",
                        fields: [
                            Field("write", .rate, .required, "Sequential writing."),
                            Field(
                                "fsync",
                                .duration(allowsZero: true),
                                .required,
                                "One fsync beyond the writing itself."
                            ),
                            Field("read", .rate, .optional, "Sequential reading."),
                        ]
                    )
                ),
                .required,
                "The disk of one node."
            ),
        ]
    )
}
