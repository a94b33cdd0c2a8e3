import FaultInjection
import Foundation
import Glibc
import Measurements
import RaftDefects
import Scenarios
import Synchronization
import Units

/// Processes that run seeds, one at a time each, so that code under test that traps takes only its
/// seed with it.
///
/// A process is started at its slot's first seed, serves many, and is replaced when it dies, is ended
/// because its seed was cancelled, or by ``renew()``. It ends by itself when its input ends.
public final class SeedWorkers: Sendable {
    private let start: @Sendable () throws -> SeedWorker
    /// A seed that takes longer in real time counts as a crash.
    private let limitSeconds: Double
    private let idle = Mutex<[Int: SeedWorker]>([:])

    /// - Parameters:
    ///   - limitSeconds: Of real time for one seed.
    ///   - start: Starts a process that runs ``SeedWorkerProgram``.
    public init(limitSeconds: Double, start: @escaping @Sendable () throws -> SeedWorker) {
        precondition(limitSeconds > 0, "\(limitSeconds) s for a seed")
        self.limitSeconds = limitSeconds
        self.start = start
    }

    /// Runs one seed in the process of `slot`; `nil` when it was cancelled.
    public func run(
        _ order: SeedOrder,
        _ slot: Int,
        _ isCancelled: @Sendable () -> Bool
    ) throws -> SeedAnswer? {
        let worker = try idle.withLock { $0.removeValue(forKey: slot) } ?? start()
        let began = ContinuousClock.now
        worker.order(order)
        func seconds() -> Double { (ContinuousClock.now - began) / .seconds(1) }
        while true {
            switch worker.poll(milliseconds: 100) {
            case .answer(let answer):
                idle.withLock { $0[slot] = worker }
                return answer
            case .nothing where isCancelled():
                worker.kill()
                return nil
            case .nothing where seconds() > limitSeconds:
                worker.kill()
                return crash(order, "no end within the time for one seed", seconds())
            case .nothing: continue
            case .ended:
                let words = try worker.lastWords()
                // Ctrl-C or a supervisor may have ended the whole group.
                if isCancelled() { return nil }
                return crash(order, words, seconds())
            }
        }
    }

    /// Ends all processes; the next seeds meet new ones. No seed may be under way.
    public func renew() {
        let all = idle.withLock { workers in
            defer { workers = [:] }
            return Array(workers.values)
        }
        for worker in all { worker.kill() }
    }

    private func crash(_ order: SeedOrder, _ words: String, _ seconds: Double) -> SeedAnswer {
        SeedAnswer(
            SeedResult(
                variant: order.variant,
                seed: order.seed,
                crash: words,
                realSeconds: seconds
            )
        )
    }
}

/// One process that runs seeds, as the laboratory holds it.
public final class SeedWorker: @unchecked Sendable {
    // Unchecked, because one thread at a time uses it: whoever took it out of its slot.

    private let process: Process
    private let input: FileHandle
    private let output: FileHandle
    private let errors: FileHandle
    private let describe: @Sendable (_ errors: String, _ signal: Int32?) -> String
    private var buffer = Data()

    enum Sight {
        case answer(SeedAnswer)
        case nothing
        case ended
    }

    /// The process could not be started, or said why it cannot run seeds.
    public struct Failure: Error, CustomStringConvertible {
        public let code: Int32
        public let description: String
    }

    /// - Parameters:
    ///   - environment: Added to this process's own.
    ///   - describe: Turns what a process said on standard error before it died, and the signal that
    ///     ended it, into the message of a crash.
    public init(
        executable: String,
        arguments: [String],
        environment: [String: String],
        describe: @escaping @Sendable (_ errors: String, _ signal: Int32?) -> String
    ) throws {
        self.describe = describe
        process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let toWorker = Pipe()
        let fromWorker = Pipe()
        process.standardInput = toWorker
        process.standardOutput = fromWorker
        errors = try SeedWorker.unnamedFile()
        process.standardError = errors
        try process.run()
        input = toWorker.fileHandleForWriting
        output = fromWorker.fileHandleForReading
    }

    func order(_ order: SeedOrder) {
        // A process that has died is noticed by the end of its output, not here.
        try? input.write(contentsOf: LineCoding.line(order))
    }

    func poll(milliseconds: Int32) -> Sight {
        if let answer = nextAnswer() { return answer }
        var descriptor = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&descriptor, 1, milliseconds) > 0 else { return .nothing }
        var piece = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(output.fileDescriptor, &piece, piece.count)
        guard count > 0 else { return count < 0 && errno == EINTR ? .nothing : .ended }
        buffer.append(contentsOf: piece[..<count])
        return nextAnswer() ?? .nothing
    }

    private func nextAnswer() -> Sight? {
        guard let end = buffer.firstIndex(of: 10) else { return nil }
        let line = Data(buffer[buffer.startIndex..<end])
        buffer.removeSubrange(buffer.startIndex...end)
        // Whatever is no answer comes from code under test that prints; the run says nothing then.
        return LineCoding.message(line, as: SeedAnswer.self).map { .answer($0) } ?? .nothing
    }

    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Why it died, in words.
    ///
    /// - Throws: When it did not die of its seed but could not begin: bad data, a missing file.
    func lastWords() throws -> String {
        process.waitUntilExit()
        try? errors.seek(toOffset: 0)
        let said = ((try? errors.readToEnd()) ?? nil) ?? Data()
        let text = String(decoding: said.suffix(16_384), as: UTF8.self)
        let isSignal = process.terminationReason == .uncaughtSignal
        let code = process.terminationStatus
        guard isSignal || code == 13 else {
            throw Failure(
                code: code == 0 ? 70 : code,
                description: text.isEmpty ? "a process of the campaign ended with \(code)" : text
            )
        }
        return describe(text, isSignal ? code : nil)
    }

    /// A file that is gone once nobody holds it.
    private static func unnamedFile() throws -> FileHandle {
        let folder = FileManager.default.temporaryDirectory.path
        // mkstemp wants six of these at the end of a name.
        let open = String(repeating: "X", count: 6)
        var name = Array("\(folder)/novalab-seed-\(open)".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else {
            throw Failure(
                code: 74,
                description: "cannot make a file in \(folder): \(String(cString: strerror(errno)))"
            )
        }
        unlink(name)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}

/// What a process does that runs seeds: reads orders from standard input, runs them one after the
/// other and writes the answers to standard output.
public enum SeedWorkerProgram {
    /// Serves until standard input ends.
    ///
    /// - Parameter prepare: The replication of a variant and seed; `nil` for a variant that is none.
    public static func run(
        commit: String,
        prepare: (_ variant: String, _ seed: UInt64) -> ReplicationSetting?
    ) {
        var lines = LineReader(FileHandle.standardInput)
        while let order = lines.next(as: SeedOrder.self) {
            guard let setting = prepare(order.variant, order.seed) else { return }
            let answer = SeedWorkerProgram.answer(order, setting, commit: commit)
            FileHandle.standardOutput.write(LineCoding.line(answer))
        }
    }

    /// Runs one seed here and now.
    public static func answer(
        _ order: SeedOrder,
        _ setting: ReplicationSetting,
        commit: String,
        isCancelled: @escaping () -> Bool = { false }
    ) -> SeedAnswer {
        var reduced: ReplicationSetting
        do {
            reduced = try setting.reduced(by: order.reduction)
        } catch {
            return SeedAnswer(
                SeedResult(variant: order.variant, seed: order.seed, crash: "", realSeconds: 0),
                refusal: error.description
            )
        }
        reduced.defect = order.defect.flatMap(RaftDefect.init(rawValue:))
        if let window = order.window {
            reduced.recorder = TraceRecorder(
                lanes: reduced.lanes,
                from: window.from,
                until: window.until
            )
        }
        let record = Replication.simulated(
            reduced,
            commit: commit,
            until: order.reduction.until,
            isCancelled: isCancelled
        )
        return SeedAnswer(
            SeedResult(record, keepsCheckpoints: order.keepsCheckpoints),
            timeline: reduced.recorder?.finished(record),
            faults: order.tellsFaults ? reduced.faultLines : []
        )
    }
}

extension ReplicationSetting {
    /// The nodes' names, by number.
    public var lanes: [String] {
        (0..<scenario.topology.nodeCount).map { "node \($0)" }
    }

    /// The faults that this replication carries out, in words.
    public var faultLines: [PlannedFaultLine] {
        faultPlan.faults.map { fault in
            let length = fault.healAt.map { " for \($0 - fault.fireAt)" } ?? ""
            let target = fault.effect.target(in: scenario.topology)
            return PlannedFaultLine(
                name: fault.name.description,
                text: "\(fault.kind) \(target) at \(fault.fireAt)\(length)"
            )
        }
    }
}
