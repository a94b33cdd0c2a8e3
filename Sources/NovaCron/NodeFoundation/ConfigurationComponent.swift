public import Effects
public import Initialization
import Units

/// `configuration`: reads and checks what the node is told.
public struct ConfigurationComponent: Component {
    public let specification = ComponentSpecification(
        name: "configuration",
        phase: .pre,
        criticality: .halt,
        timeout: .seconds(5)
    )
    private let path: String?
    private let dataDirectory: String?

    /// - Parameters:
    ///   - path: of the file; `nil` takes the one that `NOVACRON_CONFIG` names, or the embedded
    ///     defaults.
    ///   - dataDirectory: from the command line; goes before file and environment.
    public init(path: String? = nil, dataDirectory: String? = nil) {
        self.path = path
        self.dataDirectory = dataDirectory
    }

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try await ConfigurationComponent.load(
            path: path,
            dataDirectory: dataDirectory,
            effects: context.effects
        )
        context.provide(NodeKeys.configuration, configuration)
    }

    /// What the component provides; the daemon reads it before the boot, too, since the boot's own
    /// policy is a part of it.
    public static func load(
        path: String?,
        dataDirectory: String?,
        effects: NodeEffects
    ) async throws(ConfigurationError) -> NodeConfiguration {
        let variables = effects.machine.environmentVariables
        let named = variables.first { $0.name == ConfigurationText.fileVariable }?.value
        let path = path ?? named
        var bytes: [UInt8]?
        if let path {
            do {
                bytes = try await effects.files.read(path, limit: ConfigurationText.sizeLimit)
            } catch {
                throw ConfigurationError([
                    ConfigurationDiagnostic(.wholeFile(path: path), "cannot be read: \(error)")
                ])
            }
        }
        var configuration = try ConfigurationText.read(
            bytes: bytes,
            path: path ?? "",
            overrides: variables
        )
        if let dataDirectory {
            do {
                configuration.dataDirectory = try SettingText.path(dataDirectory, isAbsolute: true)
            } catch {
                throw ConfigurationError([
                    ConfigurationDiagnostic(.key("data-directory"), error.message)
                ])
            }
        }
        return configuration
    }
}
