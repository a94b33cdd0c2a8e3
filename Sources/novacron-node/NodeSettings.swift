import Glibc

/// Where a node's configuration and data are, in absolute paths.
struct NodeSettings: Sendable {
    var configurationFile: String?
    var dataDirectory: String?

    /// As arguments of this program.
    var arguments: [String] {
        (configurationFile.map { ["--config", $0] } ?? [])
            + (dataDirectory.map { ["--data-directory", $0] } ?? [])
    }
}

extension NodeLocation {
    var settings: NodeSettings {
        NodeSettings(
            configurationFile: configurationFile.map(NodeLocation.absolute),
            dataDirectory: dataDirectory.map(NodeLocation.absolute)
        )
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }
}
