import Foundation
import Measurements
import Reporting
import ResultsStore

/// The machine that a replication ran on, kept with it in the archive as facts.
enum MachineFacts {
    private static let prefix = "machine."
    private static let compiler = prefix + "compiler"
    private static let processor = prefix + "processor"
    private static let cores = prefix + "cores"
    private static let kernel = prefix + "kernel"
    private static let setting = prefix + "sysctl."
    private static let unknown = "unknown: "

    static func facts(of provenance: Provenance) -> [Fact] {
        [
            Fact(compiler, "\(provenance.compiler)"),
            Fact(processor, "\(provenance.processor)"),
            Fact(cores, "\(provenance.coreCount)"),
            Fact(kernel, "\(provenance.kernel)"),
        ] + provenance.settings.map { Fact(setting + $0.name, "\($0.value)") }
    }

    /// The record as it was before it was archived.
    static func removed(from record: RunRecord) -> RunRecord {
        var record = record
        record.facts.removeAll { $0.key.hasPrefix(prefix) }
        return record
    }

    /// Where archived runs came from; what differs between them is listed with all its values.
    static func provenance(of records: [RunRecord], in plan: ArchivedPlan) -> Provenance {
        var keys: [String] = []
        var values: [String: [String]] = [:]
        for fact in records.flatMap(\.facts) where fact.key.hasPrefix(prefix) {
            if values[fact.key] == nil { keys.append(fact.key) }
            if values[fact.key]?.contains(fact.value) != true {
                values[fact.key, default: []].append(fact.value)
            }
        }
        func known(_ key: String) -> Provenance.Known<String> {
            guard let found = values[key] else { return .unknown(reason: "not recorded") }
            if found.count == 1, found[0].hasPrefix(unknown) {
                return .unknown(reason: String(found[0].dropFirst(unknown.count)))
            }
            return .known(found.joined(separator: " and "))
        }
        var provenance = Provenance.unrecorded
        if plan.commit != "unknown" {
            let parts = plan.commit.split(separator: "-", maxSplits: 1)
            provenance.commit = .known(String(parts[0]))
            provenance.isDirty = .known(parts.count > 1)
        }
        provenance.compiler = known(compiler)
        provenance.processor = known(processor)
        provenance.coreCount = values[cores]?.compactMap { Int($0) }.max() ?? 0
        provenance.kernel = known(kernel)
        provenance.settings = keys.filter { $0.hasPrefix(setting) }.map { key in
            Provenance.Setting(name: String(key.dropFirst(setting.count)), value: known(key))
        }
        return provenance
    }
}

extension Provenance {
    /// Nothing is known.
    static let unrecorded = Provenance(
        commit: .unknown(reason: "not recorded"),
        isDirty: .unknown(reason: "not recorded"),
        compiler: .unknown(reason: "not recorded"),
        processor: .unknown(reason: "not recorded"),
        coreCount: 0,
        kernel: .unknown(reason: "not recorded"),
        settings: []
    )
}
