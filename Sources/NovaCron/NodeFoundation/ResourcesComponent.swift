package import Effects
public import Initialization
import Logging
import Synchronization
import Units

/// `resources`: compares what the machine has with what the settings ask for.
public final class ResourcesComponent: Component {
    public let specification = ComponentSpecification(
        name: "resources",
        phase: .pre,
        dependencies: ["configuration", "logger"],
        criticality: .halt,
        timeout: .seconds(5)
    )
    private let missing = Mutex<[String]>([])

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        let logger = try context.require(NodeKeys.logger).component(context.name)
        let settings = configuration.resources
        var shortfalls: [String]
        do {
            shortfalls = try await ResourcesComponent.shortfalls(
                configuration,
                context.effects
            )
        } catch let error as MachineError {
            shortfalls = ["resources cannot be told: \(error)"]
        } catch let error as FileError {
            shortfalls = ["free disk space cannot be told: \(error)"]
        }
        guard !shortfalls.isEmpty else { return }
        switch settings.belowMinimum {
        case .halt: throw ResourceError(shortfalls: shortfalls)
        case .warn:
            for shortfall in shortfalls { logger.warning("\(shortfall)") }
            missing.withLock { $0 = shortfalls }
        }
    }

    public func stop(_ context: ComponentContext) async {
        missing.withLock { $0 = [] }
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        let missing = missing.withLock { $0 }
        return missing.isEmpty ? .healthy : .degraded(missing.joined(separator: "; "))
    }

    /// What the machine lacks, one sentence each; `MachineError` or `FileError` when it cannot be
    /// told.
    package static func shortfalls(
        _ configuration: NodeConfiguration,
        _ effects: NodeEffects
    ) async throws -> [String] {
        let settings = configuration.resources
        let machine = try await effects.machine.resources()
        let available = try await available(at: configuration.dataDirectory, effects)
        var shortfalls: [String] = []
        if machine.cores < settings.minimumCores {
            shortfalls.append("\(machine.cores) cores, at least \(settings.minimumCores) asked for")
        }
        if machine.memory < settings.minimumMemory {
            shortfalls.append(
                "\(machine.memory) of memory, at least \(settings.minimumMemory) asked for"
            )
        }
        if available < settings.minimumDisk {
            shortfalls.append(
                "\(available) of free disk, at least \(settings.minimumDisk) asked for"
            )
        }
        if machine.openFiles < settings.minimumOpenFiles {
            shortfalls.append(
                "\(machine.openFiles) open files allowed, at least \(settings.minimumOpenFiles) "
                    + "asked for"
            )
        }
        return shortfalls
    }

    /// Of the nearest folder above that exists: the data directory may not be there yet.
    private static func available(
        at path: String,
        _ effects: NodeEffects
    ) async throws(FileError) -> ByteCount {
        var parts = path.split(separator: "/")
        while !parts.isEmpty {
            let folder = "/" + parts.joined(separator: "/")
            if try await effects.files.attributes(of: folder) != nil {
                return try await effects.files.capacity(at: folder).available
            }
            parts.removeLast()
        }
        return try await effects.files.capacity(at: "/").available
    }
}

/// A machine is too small for its settings.
public struct ResourceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Everything that is missing; at least one.
    public var shortfalls: [String]

    public var description: String { shortfalls.joined(separator: "; ") }
}
