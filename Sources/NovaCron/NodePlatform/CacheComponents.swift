import Effects
public import Initialization
import NodeFoundation
import Synchronization
import Units

/// `cache`: an in-memory cache that is warm from the first request on: an orderly stop keeps its
/// content in a file, which the next start takes over and empties, so that a crash later never
/// brings back values that have changed since.
public final class CacheComponent: Component {
    public let specification = ComponentSpecification(
        name: "cache",
        phase: .core,
        dependencies: ["configuration", "instance-lock"],
        criticality: .degrade,
        timeout: .seconds(5),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    public var fallbacks: [any Component] { [ColdCacheComponent()] }
    private let keeper = CacheKeeper()

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let cache = try keeper.open(context)
        let path = try CacheKeeper.path(context)
        if let snapshot = try await CacheKeeper.read(path, context), !snapshot.entries.isEmpty {
            cache.adopt(snapshot)
            // Replaced, because a removal may be undone by a crash.
            let empty = CacheSnapshot(entries: []).encoded
            try await context.journal.step("cache.adopt") {
                try await context.effects.files.replace(path, with: empty, permissions: 0o600)
            }
        }
        context.provide(PlatformKeys.cache, cache)
    }

    public func drain(_ context: ComponentContext) async { await keeper.save(context) }

    public func stop(_ context: ComponentContext) async { keeper.close() }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        keeper.isOpen ? .healthy : .unhealthy("it is not there")
    }
}

/// `cache.cold`: the same cache, empty, when what was kept cannot be used.
final class ColdCacheComponent: Component {
    let specification = ComponentSpecification(
        name: "cache.cold",
        phase: .core,
        criticality: .degrade,
        timeout: .seconds(5)
    )
    private let keeper = CacheKeeper()

    func initialize(_ context: ComponentContext) async throws {
        context.provide(PlatformKeys.cache, try keeper.open(context))
    }

    func drain(_ context: ComponentContext) async { await keeper.save(context) }

    func stop(_ context: ComponentContext) async { keeper.close() }

    func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        keeper.isOpen
            ? .degraded("it began empty: what was kept could not be used")
            : .unhealthy("it is not there")
    }
}

/// What both kinds of cache have in common.
private final class CacheKeeper: Sendable {
    private let cache = Mutex<NodeCache?>(nil)

    var isOpen: Bool { cache.withLock { $0 != nil } }

    func open(_ context: ComponentContext) throws -> NodeCache {
        let settings = try context.require(NodeKeys.configuration).cache
        let opened = NodeCache(
            CacheTable.Limits(entries: settings.entries, bytes: Int(settings.bytes.bytes)),
            timeToLive: settings.timeToLive,
            clock: context.effects.clock
        )
        cache.withLock { $0 = opened }
        return opened
    }

    func close() {
        cache.withLock { $0 = nil }
    }

    /// A cache that cannot be kept is only cold the next time, so errors are for the log.
    func save(_ context: ComponentContext) async {
        guard let cache = cache.withLock({ $0 }) else { return }
        do {
            let path = try CacheKeeper.path(context)
            let bytes = cache.snapshot().encoded
            try await context.journal.step("cache.keep") {
                try await context.effects.files.replace(path, with: bytes, permissions: 0o600)
            }
        } catch {
            context.effects.log.write("cache: its content was not kept: \(error)")
        }
    }

    static func path(_ context: ComponentContext) throws -> String {
        try context.require(NodeKeys.configuration).path("cache.snapshot")
    }

    /// `nil` when nothing was kept.
    static func read(_ path: String, _ context: ComponentContext) async throws -> CacheSnapshot? {
        let settings = try context.require(NodeKeys.configuration).cache
        let limit = CacheSnapshot.sizeLimit(
            entries: settings.entries,
            bytes: Int(settings.bytes.bytes)
        )
        do {
            return try CacheSnapshot(
                reading: try await context.effects.files.read(path, limit: limit)
            )
        } catch let error as FileError where error.reason == .notFound {
            return nil
        }
    }
}
