import Foundation
import Testing

/// A folder with the committed scenarios, profiles and data, in which the built program runs.
///
/// It is a copy, so that no test can touch the repository, and no repository, so that the commit is
/// `unknown` and plans do not depend on what is being edited.
final class Laboratory: Sendable {
    /// The kernel lists devices also where the library is not installed.
    static let hasRDMA =
        !((try? FileManager.default.contentsOfDirectory(atPath: "/sys/class/infiniband")) ?? [])
        .isEmpty

    let root: String

    /// The repository that these tests are part of.
    static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The program lies beside the test bundle.
    static let program: String = {
        let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: bundle ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "novalab").path
    }()

    /// What a process left behind.
    struct Ending: Sendable {
        var code: Int32
        var output: String
        var errors: String
    }

    init() throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: "novalab-\(UUID().uuidString)")
        root = folder.path
        for path in [
            "scenarios/hardware/lab-vm.yaml", "scenarios/smoke/echo.yaml",
            "scenarios/smoke/replay-small.yaml", "datasets/seeded-small.novamem",
        ] {
            let target = folder.appending(path: path)
            try files.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try files.copyItem(at: Laboratory.repository.appending(path: path), to: target)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var store: String { "\(root)/results.sqlite" }

    func path(_ name: String) -> String { "\(root)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
        return path(name)
    }

    /// A committed scenario with some of its text replaced, as a file of its own.
    func scenario(
        _ original: String = "replay-small",
        as name: String,
        _ changes: [(String, String)] = []
    ) throws -> String {
        var text = try String(
            contentsOfFile: path("scenarios/smoke/\(original).yaml"),
            encoding: .utf8
        )
        for (old, new) in changes {
            try #require(text.contains(old), "\(original) has no '\(old)'")
            text = text.replacing(old, with: new)
        }
        return try write(text, to: "\(name).yaml")
    }

    /// A scenario of many short replications, for interrupting.
    func longScenario(replications: Int = 60) throws -> String {
        try scenario(
            as: "long",
            [("{min: 2, max: 4,", "{min: \(replications), max: \(replications),")]
        )
    }

    /// Starts the program; `wrapper` is a command that starts it instead.
    func start(_ arguments: [String], wrapper: [String] = []) throws -> RunningProgram {
        let command = wrapper + [Laboratory.program] + arguments
        return try RunningProgram(command, in: root)
    }

    /// Runs the program to its end.
    func run(_ arguments: [String], wrapper: [String] = []) async throws -> Ending {
        try await start(arguments, wrapper: wrapper).wait()
    }

    /// The replications in the archive.
    func archivedRuns() async throws -> Int {
        guard FileManager.default.fileExists(atPath: store) else { return 0 }
        let ending = try await run([
            "runs", "--store", store, "--sql", "SELECT count(*) AS n FROM run",
        ])
        return ending.output.split(separator: "\n").last.flatMap { Int($0) } ?? 0
    }

    /// Sends a signal once the archive's log has grown to the size of several runs. A thread of its
    /// own watches, because the threads of the test pool may be busy for longer than a campaign takes.
    func send(_ signal: Int32, to program: RunningProgram, onceLogReaches bytes: Int = 600_000) {
        let log = store + "-wal"
        let process = program.identifier
        Thread.detachNewThread {
            let limit = Date().addingTimeInterval(30)
            while Date() < limit {
                let attributes = try? FileManager.default.attributesOfItem(atPath: log)
                if let size = attributes?[.size] as? Int, size >= bytes {
                    kill(process, signal)
                    return
                }
                usleep(1_000)
            }
        }
    }
}

/// The program while it runs, its output going to files.
final class RunningProgram {
    private let process = Process()
    private let output: URL
    private let errors: URL

    fileprivate init(_ command: [String], in root: String) throws {
        let base = URL(filePath: root).appending(path: "process-\(UUID().uuidString)")
        output = base.appendingPathExtension("out")
        errors = base.appendingPathExtension("err")
        for file in [output, errors] { try Data().write(to: file) }
        process.executableURL = URL(filePath: command[0])
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = URL(filePath: root)
        var environment = ProcessInfo.processInfo.environment
        environment["NOVALAB_ROOT"] = root
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    var identifier: Int32 { process.processIdentifier }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// The exit code, or 128 and the signal that ended the process.
    func wait() async throws -> Laboratory.Ending {
        let limit = Date().addingTimeInterval(60)
        while process.isRunning, Date() < limit {
            // Other tests need the threads meanwhile.
            try await Task.sleep(for: .milliseconds(2))
        }
        if process.isRunning {
            signal(SIGKILL)
            Issue.record("\(process.arguments ?? []) did not end within 60 s")
        }
        process.waitUntilExit()
        let base: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
        return Laboratory.Ending(
            code: base + process.terminationStatus,
            output: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8)
        )
    }
}

/// The verdict that `--json` prints, as far as tests compare it.
struct Verdict: Decodable, Equatable {
    struct Run: Decodable, Equatable {
        var seed: UInt64
        var variant: String
        var fingerprint: String
        var events: UInt64
        var simulatedSeconds: Double
    }

    struct Target: Decodable, Equatable {
        var expression: String
        var variant: String
        var status: String
        var n: Int
        var mean: Double?
        var low: Double?
        var high: Double?
    }

    struct Invariant: Decodable, Equatable {
        var name: String
        var runs: Int
        var checked: UInt64
        var violations: UInt64
    }

    struct Metric: Decodable, Equatable {
        var metric: String
        var variant: String
        var mean: Double?
    }

    var verdict: String
    var exitCode: Int
    var environment: String
    var runs: [Run]
    var targets: [Target]
    var invariants: [Invariant]
    var metrics: [Metric]

    init(_ ending: Laboratory.Ending) throws {
        self = try JSONDecoder().decode(Verdict.self, from: Data(ending.output.utf8))
    }
}
