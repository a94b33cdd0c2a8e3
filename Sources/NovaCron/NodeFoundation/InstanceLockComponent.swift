import Effects
public import Initialization
import Synchronization
import Units

/// `instance-lock`: creates the data directory and makes sure that this process alone uses it; then
/// the boot's journal begins there.
public final class InstanceLockComponent: Component {
    public let specification = ComponentSpecification(
        name: "instance-lock",
        phase: .pre,
        dependencies: ["configuration"],
        criticality: .halt,
        timeout: .seconds(10)
    )
    private let lock = Mutex<(any FileLock)?>(nil)

    /// Below the data directory.
    public static let lockFile = "node.lock"
    /// Below the data directory.
    public static let journalFile = "boot.journal"

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        let files = context.effects.files
        let folder = configuration.dataDirectory
        try await context.journal.step("instance-lock.folder") {
            try await files.createFolder(folder, permissions: 0o700)
        }
        do {
            let held = try await files.lock(configuration.path(InstanceLockComponent.lockFile))
            lock.withLock { $0 = held }
        } catch {
            guard case .locked(let holder) = error.reason else { throw error }
            throw InstanceError(folder: folder, process: holder)
        }
        try await context.journal.begin(at: configuration.path(InstanceLockComponent.journalFile))
    }

    public func stop(_ context: ComponentContext) async {
        let held = lock.withLock { lock in
            defer { lock = nil }
            return lock
        }
        await held?.release()
    }
}

/// Another node uses the data directory.
public struct InstanceError: Error, Hashable, Sendable, CustomStringConvertible {
    public var folder: String
    /// Its number, when it has left one.
    public var process: Int32?

    public var description: String {
        let holder = process.map { "process \($0)" } ?? "another process"
        return "\(folder) belongs to a node that runs: \(holder); one node a data directory"
    }
}
