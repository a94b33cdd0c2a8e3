import Foundation

/// A place for one real node: a folder of its own with configuration, data and output, and the
/// program that is started there. The folder goes with the value.
public final class RealNode: Sendable {
    /// The daemon's path, or a command that runs it.
    public let program: [String]
    public let folder: String

    public var configurationPath: String { "\(folder)/node.yaml" }
    public var dataPath: String { "\(folder)/data" }
    public var outputPath: String { "\(folder)/output" }
    public var errorsPath: String { "\(folder)/errors" }
    public var data: DataFolder { DataFolder(dataPath) }

    /// Every port is a free one, so that a boot meets no other service and no other boot.
    public static let freePorts = """
        environment:
          answers-at: 127.0.0.1:0
        network:
          control: 127.0.0.1:0
        dwcp:
          endpoint: 127.0.0.1:0
        health:
          endpoint: 127.0.0.1:0

        """

    /// - Parameters:
    ///   - program: the daemon's path, or a command that runs it.
    ///   - parent: an existing folder; the system's one for temporary files without it.
    ///   - configuration: the text of the node's configuration file.
    public init(
        program: [String],
        in parent: String? = nil,
        configuration: String = RealNode.freePorts
    ) throws(RealNodeError) {
        self.program = program
        folder =
            URL(filePath: parent ?? NSTemporaryDirectory()).appending(
                path: "novacron-\(UUID().uuidString)"
            ).path
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true
            )
            try Data(configuration.utf8).write(to: URL(filePath: "\(folder)/node.yaml"))
        } catch {
            throw RealNodeError("cannot prepare \(folder): \(error.localizedDescription)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Makes what the node keeps as if it never ran.
    public func forget() {
        try? FileManager.default.removeItem(atPath: dataPath)
    }

    /// Starts the daemon in the foreground.
    ///
    /// - Parameters:
    ///   - arguments: further ones, for example `--crash-at`.
    ///   - variables: further environment variables, `NAME=value`. None are inherited but PATH and
    ///     those of the language runtime.
    ///   - wrapper: a command that starts the daemon instead, for example to limit its resources.
    public func start(
        _ arguments: [String] = [],
        variables: [String] = [],
        wrapper: [String] = []
    ) throws(RealNodeError) -> NodeProcess {
        let inherited = ["PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR"].compactMap { name in
            ProcessInfo.processInfo.environment[name].map { "\(name)=\($0)" }
        }
        let command =
            program + [
                "start", "--foreground", "--config", configurationPath,
                "--data-directory", dataPath, "--events", "\(NodeProcess.eventsDescriptor)",
            ]
        return try NodeProcess(
            wrapper + command + arguments,
            environment: inherited + variables,
            output: outputPath,
            errors: errorsPath
        )
    }

    /// What the last process wrote to standard error.
    public var errors: String { (try? String(contentsOfFile: errorsPath, encoding: .utf8)) ?? "" }

    /// What the last process wrote to standard output.
    public var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
}
