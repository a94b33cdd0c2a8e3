import Effects
public import Initialization
import Logging
import Synchronization
import Units

/// `discovery`: the nodes that a file lists, looked at again every period.
///
/// A file that is not there at boot means no other nodes. Content that cannot be used, at boot or
/// later, and a file that disappears leave the list as it was; health and log say so until the file
/// is good again.
public final class DiscoveryComponent: Component {
    public let specification = ComponentSpecification(
        name: "discovery",
        phase: .core,
        dependencies: ["configuration"],
        optionalDependencies: ["logger"],
        criticality: .warn,
        timeout: .seconds(5)
    )
    private let directory = NodeDirectory()
    private let seen = Mutex(Seen.nothing)

    /// What the file was like when it was last looked at.
    private enum Seen: Equatable {
        case nothing
        case absent
        case content([UInt8])
        case failed(String)
    }

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        try await look(context)
        context.provide(NodeKeys.directory, directory)
    }

    public func serve(_ context: ComponentContext) async {
        guard let period = try? context.require(NodeKeys.configuration).discovery.period else {
            return
        }
        while !Task.isCancelled {
            do {
                try await context.effects.clock.sleep(for: period)
                try await look(context)
            } catch {
                return
            }
        }
    }

    public func stop(_ context: ComponentContext) async {
        seen.withLock { $0 = .nothing }
        directory.replace([])
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        directory.problem.map { .degraded($0) } ?? .healthy
    }

    private func look(_ context: ComponentContext) async throws(DependencyError) {
        let configuration = try context.require(NodeKeys.configuration)
        let logger = try context.find(NodeKeys.logger)?.component(context.name)
        let path = configuration.path(configuration.discovery.file)
        let now: Seen
        do {
            now = .content(
                try await context.effects.files.read(path, limit: DirectoryText.sizeLimit)
            )
        } catch {
            now = error.reason == .notFound ? .absent : .failed("\(error)")
        }
        let before = seen.withLock { seen in
            defer { seen = now }
            return seen
        }
        guard now != before else { return }
        switch now {
        case .nothing: preconditionFailure("a look at \(path) saw nothing")
        case .absent where before == .nothing: directory.replace([])
        case .absent: report("\(path) is gone; the last list stays", logger)
        case .failed(let reason): report("\(reason); the last list stays", logger)
        case .content(let bytes):
            do {
                let nodes = try DirectoryText.read(bytes: bytes, path: path)
                directory.replace(nodes)
                logger?.info("\(path) lists \(nodes.count) nodes")
            } catch {
                report("\(error); the last list stays", logger)
            }
        }
    }

    private func report(_ problem: String, _ logger: Logger?) {
        directory.report(problem)
        logger?.error("\(problem)")
    }
}
