import ArgumentParser
import Experiments
import Foundation
import LinkEmulator
import RDMAEnvironment
import SocketEnvironment

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what this machine can do for the laboratory.",
        discussion: """
            --measure times the work that simulations charge for and writes a hardware profile; a \
            scenario uses it with 'hardware: NAME'.

            Examples:
              novalab doctor
              novalab doctor --json
              novalab doctor --measure my-host
            """
    )

    @Option(help: "Measure this machine and write scenarios/hardware/NAME.yaml.")
    var measure: String?

    @Option(help: "The folder whose disk is measured; the archive's without it.")
    var disk: String?

    @Flag(help: "Replace a profile of the same name.")
    var force = false

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func run() throws {
        if let measure {
            try write(profile: measure)
        } else {
            let checks = MachineCheck.all(LabFolders.current)
            if json {
                try JSONOutput.print(checks)
            } else {
                for check in checks { print(check.line) }
            }
        }
    }

    private func write(profile name: String) throws {
        let allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyz0123456789-")
        guard !name.isEmpty, name.unicodeScalars.allSatisfy(allowed.contains) else {
            throw CommandFailure(
                code: 64,
                message: "'\(name)' cannot name a profile; use a-z, 0-9 and dashes"
            )
        }
        let path = "\(LabFolders.current.hardware)/\(name).yaml"
        if !force, FileManager.default.fileExists(atPath: path) {
            throw CommandFailure(
                code: 64,
                message: "\(path) exists; results depend on it, replace it only with --force"
            )
        }
        let folder = disk ?? LabFolders.current.reports
        try? FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        let line = ProgressLine()
        do {
            let profile = try HardwareMeasurement.profile(
                name: name,
                directory: folder,
                progress: { line.show("measuring \($0)", isFinal: true) }
            )
            line.clear()
            try Data(profile.yaml.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            line.clear()
            throw CommandFailure(code: 74, message: "cannot measure: \(error)")
        }
        if json {
            try JSONOutput.print(["profile": path])
        } else {
            print(path)
        }
    }
}

/// One thing that a part of the laboratory needs.
struct MachineCheck: Encodable {
    let name: String
    let isAvailable: Bool
    /// What was found, or what is missing and how to get it.
    let detail: String

    var line: String {
        let column = name.padding(toLength: 10, withPad: " ", startingAt: 0)
        return "\(isAvailable ? "✓" : "–") \(column) \(detail)"
    }

    static func all(_ folders: LabFolders) -> [MachineCheck] {
        [
            ok("cores", "\(ProcessInfo.processInfo.activeProcessorCount)"),
            ok("memory", "\(ProcessInfo.processInfo.physicalMemory >> 20) MiB"),
            program("gnuplot", for: "reports", package: "gnuplot-nox"),
            program("swift", for: "building", package: "the Swift toolchain"),
            loopback,
            emulator,
            controls,
            capture,
            folder(folders.reports),
            rdma,
            netem,
        ]
    }

    private static func ok(_ name: String, _ text: String) -> MachineCheck {
        MachineCheck(name: name, isAvailable: true, detail: text)
    }

    private static func lacking(_ name: String, _ text: String) -> MachineCheck {
        MachineCheck(name: name, isAvailable: false, detail: text)
    }

    private static func program(_ name: String, for use: String, package: String) -> MachineCheck {
        let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        for folder in folders {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return ok(name, path) }
        }
        return lacking(name, "not found; \(use) needs it: install \(package)")
    }

    /// Socket runs listen on the loopback interface.
    private static var loopback: MachineCheck {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else {
            return lacking("sockets", "no TCP sockets: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        return bound == 0
            ? ok("sockets", "TCP and UDP on 127.0.0.1")
            : lacking("sockets", "cannot bind 127.0.0.1: \(String(cString: strerror(errno)))")
    }

    /// Emulated links need namespaces of their own; making one tells whether that is allowed.
    private static var emulator: MachineCheck {
        do throws(EmulatorFailure) {
            try EmulatedNetwork.probe()
            return ok("emulator", "namespaces and TUN interfaces; runs on sockets are shaped")
        } catch {
            return lacking("emulator", "runs on sockets are unshaped: \(error)")
        }
    }

    /// Streams on shaped sockets have the congestion control that their scenario names, or do not run.
    private static var controls: MachineCheck {
        let given = CongestionControls.all.filter(SystemCongestionControl.isGiven)
        let missing = CongestionControls.all.filter { !given.contains($0) }
        return missing.isEmpty
            ? ok("TCP", "congestion controls \(given.joined(separator: ", "))")
            : lacking(
                "TCP",
                "no congestion control \(missing.joined(separator: ", ")) for this process"
            )
    }

    /// Capturing reads other processes' memory.
    private static var capture: MachineCheck {
        guard FileManager.default.isReadableFile(atPath: "/proc/self/mem") else {
            return lacking("capture", "/proc is not mounted; data sets cannot be captured")
        }
        let path = "/proc/sys/kernel/yama/ptrace_scope"
        let scope = (try? String(contentsOfFile: path, encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return ok("capture", "own children; others with ptrace_scope \(scope ?? "absent")")
    }

    private static func folder(_ path: String) -> MachineCheck {
        let place = FileManager.default.fileExists(atPath: path) ? path : LabFolders.current.root
        guard FileManager.default.isWritableFile(atPath: place) else {
            return lacking("archive", "\(place) cannot be written; use --store")
        }
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: place)
        let free = (attributes?[.systemFreeSize] as? NSNumber)?.uint64Value
        return ok(
            "archive",
            "\(path), \(free.map { "\($0 >> 20) MiB free" } ?? "free space unknown")"
        )
    }

    private static var rdma: MachineCheck {
        let support = RDMASupport.current
        return support.isUsable ? ok("RDMA", support.text) : lacking("RDMA", support.text)
    }

    private static var netem: MachineCheck {
        let release = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard let release else { return lacking("netem", "unknown kernel") }
        let folder = "/lib/modules/\(release)/kernel/net/sched"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { $0.hasPrefix("sch_netem") }
            ? ok("netem", "module present; no part of this build uses it")
            : lacking("netem", "no sch_netem module for \(release)")
    }
}
