import Foundation
import Initialization
import RealNodes
import Testing
import Units

/// The built daemon in a folder of a test's own.
struct Daemon {
    let node: RealNode

    /// The program lies beside the test bundle.
    static let program: String = {
        let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: bundle ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "novacron-node").path
    }()

    /// Far longer than anything here takes, so that it never decides on a busy machine.
    static let patience = Interval.seconds(60)

    init(configuration: String = RealNode.freePorts) throws {
        node = try RealNode(program: [Daemon.program], configuration: configuration)
    }

    /// What a command that was run to its end came to.
    struct Ending: Sendable {
        var code: Int32
        var output: String
        var errors: String
    }

    /// Runs the program to its end.
    static func run(_ arguments: [String], variables: [String: String] = [:]) async throws -> Ending
    {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin"].merging(
            ["LD_LIBRARY_PATH", "HOME"].reduce(into: variables) { found, name in
                found[name] = ProcessInfo.processInfo.environment[name]
            },
            uniquingKeysWith: { _, new in new }
        )
        // Files, not pipes: a node that another test starts meanwhile would keep a pipe open.
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novacron-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appending(path: "output")
        let errors = folder.appending(path: "errors")
        for file in [output, errors] { try Data().write(to: file) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        let code = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        return Ending(
            code: code,
            output: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8)
        )
    }

    /// A command about the node in this folder.
    func ask(_ verb: String, _ arguments: [String] = []) async throws -> Ending {
        let place = ["--config", node.configurationPath, "--data-directory", node.dataPath]
        return try await Daemon.run([verb] + place + arguments)
    }

    /// Starts the node in the foreground, runs `body` once it is READY, and expects that it then ends
    /// in order and leaves nothing behind.
    func whileReady(
        variables: [String] = [],
        _ body: (NodeProcess) async throws -> Void
    ) async throws {
        let process = try node.start(variables: variables)
        guard process.hears({ if case .ready = $0 { true } else { false } }) else {
            Issue.record("not READY: \(node.errors)")
            return
        }
        try await body(process)
        process.signal(SIGTERM)
        #expect(process.ended() == .exit(0), "\(node.errors)")
        #expect(!process.endGroup())
        #expect(node.data.problems() == [])
    }

    /// Starts the node, which is expected to give up, and gives how it ended.
    func refused(variables: [String] = []) throws -> Ending {
        let process = try node.start(variables: variables)
        let ending = process.ended()
        #expect(!process.endGroup())
        guard case .exit(let code) = ending else {
            Issue.record("\(String(describing: ending))")
            return Ending(code: -1, output: node.output, errors: node.errors)
        }
        return Ending(code: code, output: node.output, errors: node.errors)
    }
}

extension NodeProcess {
    private static func deadline() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Daemon.patience.nanoseconds
    }

    /// Listens until an event fits; `false` when the node ends before.
    func hears(_ isWanted: (LifecycleEvent.Kind) -> Bool) -> Bool {
        let deadline = NodeProcess.deadline()
        while true {
            switch listen(until: deadline) {
            case .report(.lifecycle(let event, _)):
                if isWanted(event.kind) { return true }
            case .report: continue
            case .garbage, .end, .silence: return false
            }
        }
    }

    /// Waits for the end.
    func ended() -> ProcessEnding.Cause? {
        waitForEnd(until: NodeProcess.deadline())?.cause
    }
}
