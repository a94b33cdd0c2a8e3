import Synchronization

/// What workers do with the tasks of one kind.
public struct TaskKind: Sendable {
    public var name: String
    /// Runs one task to its end; an error fails the attempt. Cancelled when the lease is lost or the
    /// node ends. A task can run more than once, so what it does must be safe to repeat.
    public var run: @Sendable (QueuedTask) async throws -> Void

    public init(_ name: String, run: @escaping @Sendable (QueuedTask) async throws -> Void) {
        self.name = name
        self.run = run
    }
}

/// The kinds that workers know; components add theirs before READY.
public final class TaskKinds: Sendable {
    private let kinds: Mutex<[String: TaskKind]>

    public init(_ kinds: [TaskKind] = []) {
        self.kinds = Mutex([:])
        for kind in kinds { register(kind) }
    }

    /// Adds a kind, or replaces the one of that name.
    public func register(_ kind: TaskKind) {
        kinds.withLock { $0[kind.name] = kind }
    }

    /// Sorted.
    var names: [String] { kinds.withLock { $0.keys.sorted() } }

    func find(_ name: String) -> TaskKind? { kinds.withLock { $0[name] } }
}
