import Synchronization

/// Workspaces that no job uses at the moment. Results do not depend on which one a job gets.
final class WorkspacePool<Workspace: AnyObject & Sendable>: Sendable {
    private let free = Mutex<[Workspace]>([])
    private let create: @Sendable () -> Workspace
    /// More than there are worker threads would only hold memory.
    private let limit = 16

    init(_ create: @escaping @Sendable () -> Workspace) {
        self.create = create
    }

    func take() -> Workspace {
        free.withLock { $0.popLast() } ?? create()
    }

    func giveBack(_ workspace: Workspace) {
        free.withLock { if $0.count < limit { $0.append(workspace) } }
    }
}

extension EncodingWorkspace {
    static let pool = WorkspacePool { EncodingWorkspace() }
}

extension DecodingWorkspace {
    static let pool = WorkspacePool { DecodingWorkspace() }
}
