import Foundation
import RealNodes
import Testing

/// Goal: a configuration that cannot be used ends the start with code 65 and one line that names the
/// place, before anything is written.
/// Method: the built daemon, one mistake at a time.
@Suite struct ConfigurationFaultTests {
    @Test(
        arguments: [
            // A file that was cut while it was written.
            (RealNode.freePorts + "database:\n  busy-timeout: {", "node.yaml:"),
            (RealNode.freePorts + "database:\n  busy-timeout: \"2", "node.yaml:"),
            // A key of another version, and one that stands twice.
            (RealNode.freePorts + "version: 9\n", "node.yaml:9:1"),
            (RealNode.freePorts + "cache:\n  entries: 1\n  entries: 2\n", "is given twice"),
            // Values beyond their range, without their unit, of another kind.
            (RealNode.freePorts + "cache:\n  entries: 0\n", "node.yaml:10:12"),
            (RealNode.freePorts + "boot:\n  deadline: 30\n", "node.yaml:10:13"),
            (RealNode.freePorts + "resources:\n  minimum-cores: [4]\n", "node.yaml:10:18"),
            (RealNode.freePorts + "logging:\n  level: loud\n", "node.yaml:10:10"),
        ]
    )
    func aFileThatCannotBeUsedIs65(text: String, place: String) throws {
        let daemon = try Daemon(configuration: text)
        try Fault(daemon).expectRefusal(65, place)
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    @Test func bytesThatAreNoTextAre65() throws {
        let daemon = try Daemon()
        try Data([0x6E, 0x61, 0x6D, 0x65, 0x3A, 0x20, 0xFF, 0xFE, 0x00])
            .write(to: URL(filePath: daemon.node.configurationPath))
        try Fault(daemon).expectRefusal(65, "node.yaml")
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    @Test func aFolderInTheFilesPlaceIs65() throws {
        let daemon = try Daemon()
        try FileManager.default.removeItem(atPath: daemon.node.configurationPath)
        try FileManager.default.createDirectory(
            atPath: daemon.node.configurationPath,
            withIntermediateDirectories: false
        )
        try Fault(daemon).expectRefusal(65, "node.yaml")
    }

    /// Method: the daemon as a user to whom the file is closed; needs root.
    @Test(.enabled(if: getuid() == 0 && Daemon.canChangeUser))
    func aFileThatMayNotBeReadIs65() throws {
        let daemon = try Daemon()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600],
            ofItemAtPath: daemon.node.configurationPath
        )
        try Fault(daemon, wrapper: Daemon.asNobody).expectRefusal(65, "node.yaml", "denied")
    }

    @Test(
        arguments: [
            "NOVACRON_CACHE_ENTRIES=many", "NOVACRON_BOOT_ORDER=backwards",
            "NOVACRON_HEALTH_ENDPOINT=127.0.0.1", "NOVACRON_SECURITY_DIRECTORY=",
        ]
    )
    func aVariableThatCannotBeUsedIs65(variable: String) throws {
        let daemon = try Daemon()
        let name = String(variable.prefix { $0 != "=" })
        try Fault(daemon, variables: [variable]).expectRefusal(65, name)
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }
}

extension Daemon {
    static let canChangeUser = FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

    /// Starts what follows as a user without privileges.
    static let asNobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
}
