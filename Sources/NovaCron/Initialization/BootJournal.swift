public import Effects
import Synchronization

/// The durable memory of a boot: which steps were begun and ended, which phases were reached.
///
/// An append-only file of lines, one record each. Every durable step of a component runs through
/// `step`, which gives it a name and makes it a place where a crash can be put and told apart. After
/// a crash `previous` says what was cut short. A component's step must be safe to repeat: the journal
/// tells, it does not undo.
///
/// A journal is *closed* until `begin` opens its file, which must wait until this process is known
/// to be the only one that uses the folder; steps before that are places for crashes and leave no
/// record. One that is never begun suits nodes that keep nothing.
public final class BootJournal: Sendable {
    private let effects: NodeEffects
    private let file = Mutex<OpenFile?>(nil)

    /// The longest file that is read. A boot writes some hundred bytes a step, and each boot starts a
    /// new file.
    static let sizeLimit = 1 << 20

    private struct OpenFile {
        var path: String
        var number: UInt64
        var previous: PreviousBoot?
    }

    public init(effects: NodeEffects) {
        self.effects = effects
    }

    /// What the file told about the life before this one; `nil` for the first, and while closed.
    public var previous: PreviousBoot? { file.withLock { $0?.previous } }

    /// This boot's number in the file, counted from one; `nil` while closed.
    public var number: UInt64? { file.withLock { $0?.number } }

    /// Reads what the boot before left at `path` and begins a new journal there.
    ///
    /// A record that is cut or damaged ends the reading: it was not durable. A file that is no
    /// journal counts as none. Traps when the journal is open.
    public func begin(at path: String) async throws(FileError) {
        precondition(file.withLock { $0 == nil }, "the journal is open already")
        var previous: PreviousBoot?
        do {
            let bytes = try await effects.files.read(path, limit: BootJournal.sizeLimit)
            previous = PreviousBoot(records: JournalRecord.read(bytes))
        } catch {
            switch error.reason {
            // No journal of ours is that long.
            case .notFound, .tooLarge: previous = nil
            case .exists, .denied, .full, .notAFile, .locked, .crashed, .failed: throw error
            }
        }
        let number = (previous?.number ?? 0) + 1
        let first = JournalRecord(kind: .boot, name: String(number))
        try await effects.files.replace(path, with: first.bytes, permissions: 0o600)
        let opened = OpenFile(path: path, number: number, previous: previous)
        file.withLock { $0 = opened }
    }

    /// Runs one durable step between two records. The name is unique in the node, for example
    /// `security.authority`.
    public func step<Value: Sendable>(
        _ name: String,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await effects.crashPoints.reached(CrashPoint(step: name, side: .before))
        try await append(.begin, name)
        let value = try await body()
        try await append(.end, name)
        try await effects.crashPoints.reached(CrashPoint(step: name, side: .after))
        return value
    }

    func checkpoint(_ phase: BootPhase) async throws {
        try await step("checkpoint.\(phase.rawValue)") {
            try await append(.checkpoint, phase.rawValue)
        }
    }

    func ready() async throws {
        try await step("ready") { try await append(.ready, "node") }
    }

    func stopped() async throws {
        try await step("stopped") { try await append(.stopped, "node") }
    }

    private func append(_ kind: JournalRecord.Kind, _ name: String) async throws(FileError) {
        guard let path = file.withLock({ $0?.path }) else { return }
        let record = JournalRecord(kind: kind, name: name)
        try await effects.files.append(record.bytes, to: path, synced: true)
    }
}

/// What is known of the life before.
public struct PreviousBoot: Hashable, Sendable {
    public var number: UInt64
    /// Steps that were begun and not ended, in order.
    public var interruptedSteps: [String]
    /// Steps that were ended, in order.
    public var completedSteps: [String]
    public var checkpoints: [BootPhase]
    public var wasReady: Bool
    /// Whether it ended in order.
    public var stoppedInOrder: Bool

    /// `nil` when the records do not begin with a boot, or with one that has no successor.
    init?(records: [JournalRecord]) {
        guard let first = records.first, first.kind == .boot, let number = UInt64(first.name),
            number < .max
        else { return nil }
        self.number = number
        interruptedSteps = []
        completedSteps = []
        checkpoints = []
        wasReady = false
        stoppedInOrder = false
        for record in records.dropFirst() {
            switch record.kind {
            case .boot: break
            case .begin: interruptedSteps.append(record.name)
            case .end:
                interruptedSteps.removeAll { $0 == record.name }
                completedSteps.append(record.name)
            case .checkpoint:
                if let phase = BootPhase(rawValue: record.name) { checkpoints.append(phase) }
            case .ready: wasReady = true
            case .stopped: stoppedInOrder = true
            }
        }
    }
}

/// One line of a journal: check sum, kind, name.
struct JournalRecord: Hashable, Sendable {
    enum Kind: String {
        case boot, begin, end, checkpoint, ready, stopped
    }

    var kind: Kind
    var name: String

    init(kind: Kind, name: String) {
        precondition(
            name.utf8.count <= 200 && !name.utf8.contains { $0 <= 0x20 },
            "'\(name)' cannot name a step"
        )
        self.kind = kind
        self.name = name
    }

    var bytes: [UInt8] {
        let text = "\(kind.rawValue) \(name)"
        return Array("\(JournalRecord.checksum(Array(text.utf8))) \(text)\n".utf8)
    }

    /// The records up to the first that is cut or damaged.
    static func read(_ bytes: [UInt8]) -> [JournalRecord] {
        var records: [JournalRecord] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            guard let record = JournalRecord(line: rest[..<end]) else { break }
            records.append(record)
            rest = rest[(end + 1)...]
        }
        return records
    }

    private init?(line: ArraySlice<UInt8>) {
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3,
            let checksum = String(validating: parts[0], as: UTF8.self),
            checksum == JournalRecord.checksum(line[parts[1].startIndex...]),
            let word = String(validating: parts[1], as: UTF8.self),
            let kind = Kind(rawValue: word),
            let name = String(validating: parts[2], as: UTF8.self),
            name.utf8.count <= 200, !name.utf8.contains(where: { $0 <= 0x20 })
        else { return nil }
        self.init(kind: kind, name: name)
    }

    /// FNV-1a, 64 bits, as 16 hexadecimal digits: it tells a torn line from a whole one.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
