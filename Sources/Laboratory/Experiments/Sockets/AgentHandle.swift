import Foundation

/// The process of one node, or of the emulator, as the laboratory holds it.
public final class AgentHandle: @unchecked Sendable {
    // `process` and `input` are used by the laboratory's thread alone.
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle

    /// Starts `executable` with `arguments`; it must run `AgentProgram` or
    /// `EmulatorProgram`.
    public init(executable: String, arguments: [String]) throws {
        process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        let toAgent = Pipe()
        let fromAgent = Pipe()
        process.standardInput = toAgent
        process.standardOutput = fromAgent
        try process.run()
        input = toAgent.fileHandleForWriting
        output = fromAgent.fileHandleForReading
    }

    var isRunning: Bool { process.isRunning }

    /// Of a process that has closed its output: whether it was ended by SIGKILL, which no program sends
    /// to itself by mistake.
    var wasKilled: Bool {
        let deadline = Date().addingTimeInterval(2)
        while process.isRunning, Date() < deadline { usleep(2_000) }
        return !process.isRunning && process.terminationReason == .uncaughtSignal
            && process.terminationStatus == SIGKILL
    }

    func send(_ message: LabMessage) { write(message) }

    func order(_ order: EmulatorOrder) { write(order) }

    private func write(_ message: some Encodable) {
        // A process that has died is noticed by the end of its output, not here.
        try? input.write(contentsOf: LineCoding.line(message))
    }

    /// Reads messages on a thread of its own; `receive` gets `nil` once, at the end.
    func listen<Message: Decodable & Sendable>(
        as type: Message.Type,
        _ receive: @escaping @Sendable (Message?) -> Void
    ) {
        let handle = output
        Thread.detachNewThread {
            var lines = LineReader(handle)
            while let message = lines.next(as: type) { receive(message) }
            receive(nil)
        }
    }

    /// Ends the process at once, as a crash does.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func pause() { Foundation.kill(process.processIdentifier, SIGSTOP) }
    func resume() { Foundation.kill(process.processIdentifier, SIGCONT) }

    /// Waits for a process that was told to stop; ends it after two seconds.
    func finish() {
        let deadline = Date().addingTimeInterval(2)
        while process.isRunning, Date() < deadline { usleep(2_000) }
        kill()
    }
}
