import Experiments
import Foundation
import Measurements
import ResultsStore
import Scenarios
import Synchronization

/// The archive as a campaign uses it: one plan's runs.
final class Archive: Sendable {
    let path: String
    let plan: ArchivedPlan
    let store: ResultsArchive

    init(path: String, _ plan: ArchivedPlan) throws {
        self.path = path
        self.plan = plan
        store = try Archive.open(path)
        try Archive.attempt { () throws(StoreError) in try self.store.register(plan) }
    }

    /// Opens an archive, making its folder when it is the default one.
    static func open(_ path: String) throws -> ResultsArchive {
        let folder = URL(filePath: path).deletingLastPathComponent()
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try attempt { () throws(StoreError) in try ResultsArchive(path: path) }
    }

    /// Opens an archive that is only read: it may lie where nothing can be written, and one of an
    /// older laboratory is not changed.
    static func reading(_ path: String) throws -> ResultsArchive {
        guard FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure(
                code: 74,
                message: "there is no archive at \(path); 'novalab run' makes one"
            )
        }
        return try attempt { () throws(StoreError) in try ResultsArchive(reading: path) }
    }

    static func attempt<Value>(_ body: () throws(StoreError) -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            switch error {
            case .query, .unknownPlan:
                throw CommandFailure(code: 64, message: error.description)
            case .notSQLite, .foreign, .newer, .corrupted, .full, .readOnly, .locked, .cannotOpen,
                .duplicate, .rejected:
                throw CommandFailure(code: Int32(StoreError.exitCode), message: error.description)
            }
        }
    }

    /// The runs as they were measured, without what was noted about their machine.
    func records() throws -> [RunRecord] {
        try Archive.attempt { () throws(StoreError) in
            try store.records(ofPlan: plan.identity)
        }.map(MachineFacts.removed)
    }

    func record(_ run: RunRecord) throws {
        try Archive.attempt { () throws(StoreError) in
            try store.record(run, in: plan, replacing: true)
        }
    }

    /// Notes a file that belongs to the plan: its scenario or a report.
    func note(_ artifact: Artifact, path: String) throws {
        try Archive.attempt { () throws(StoreError) in
            try store.recordArtifact(kind: artifact.rawValue, path: path, of: plan)
        }
    }

    /// Makes the file alone the whole archive; what cannot be done now is done at the next opening.
    func settle() {
        try? store.settle()
    }

    enum Artifact: String {
        case scenario, report
    }
}

/// Archives every replication as it ends and tells how far the campaign is.
final class ArchivingListener: CampaignListener {
    private struct State {
        var done = 0
        var total = 0
        /// What is going on now, if there is more to say than numbers.
        var detail: String?
    }

    private let archive: Archive
    private let preparation: Preparation
    private let line: ProgressLine
    private let state = Mutex(State())
    private let began = Date()

    init(archive: Archive, preparation: Preparation, line: ProgressLine) {
        self.archive = archive
        self.preparation = preparation
        self.line = line
    }

    func planned(done: Int, total: Int) {
        state.withLock {
            $0.done = done
            $0.total = total
        }
        show()
    }

    func started(_ variant: String, _ seed: UInt64) {
        state.withLock { $0.detail = "\(variant), seed \(seed)" }
        show()
    }

    func keep(_ record: RunRecord) throws {
        var record = record
        record.facts += MachineFacts.facts(of: preparation.provenance)
        try archive.record(record)
        state.withLock { $0.done += 1 }
        show()
    }

    func repeating() {
        state.withLock { $0.detail = "comparing fingerprints" }
        show()
    }

    /// Also called when nothing happened, so that the time goes on.
    func show() {
        let text = state.withLock { state in
            let seconds = Int(Date().timeIntervalSince(began))
            return "\(preparation.scenario.name): \(state.done) of \(state.total) replications, "
                + "\(seconds) s" + (state.detail.map { ", \($0)" } ?? "")
        }
        line.show(text)
    }
}
