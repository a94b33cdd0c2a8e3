import Foundation
import Glibc
import Machines
import Measurements
import NIOCore
import NIOPosix
import RDMAEnvironment
import Raft
import RaftDefects
import Scenarios
import SocketEnvironment
import Units

/// The process of one node in a run on sockets: reads the laboratory's messages from standard input
/// and writes the machine's facts to standard output.
public enum AgentProgram {
    /// Serves one assignment until it is told to stop or standard input ends.
    ///
    /// What keeps it from serving is told to the laboratory, which ends the run with that message.
    ///
    /// - Parameter prepare: Turns the assignment into what the experiment needs.
    public static func run(
        prepare: (AgentAssignment) throws -> ReplicationSetting
    ) async throws {
        let input = FileHandle.standardInput
        var lines = LineReader(input)
        guard case .configure(let assignment)? = lines.next(as: LabMessage.self) else {
            throw SocketFailure("an agent is started by the laboratory, which first configures it")
        }
        do {
            if let cross = assignment.cross {
                try await serve(assignment, &lines) { CrossNode($0, plan: cross) }
                return
            }
            var setting = try prepare(assignment)
            setting.defect = assignment.defect.flatMap(RaftDefect.init(rawValue:))
            switch setting.scenario.workload {
            case .echo: try await serve(EchoExperiment(setting), assignment, &lines)
            case .bulk: try await serve(BulkExperiment(setting), assignment, &lines)
            case .transfer: try await serve(TransferExperiment(setting), assignment, &lines)
            case .migration: try await serve(MigrationExperiment(setting), assignment, &lines)
            case .requests where setting.defect != nil:
                try await serve(RequestExperiment<DefectiveRules>(setting), assignment, &lines)
            case .requests:
                try await serve(RequestExperiment<StandardRules>(setting), assignment, &lines)
            case .boot: throw SocketFailure("nodes that boot are no agents")
            }
        } catch {
            // No event is sent here, so any type of event will do.
            OutputLines().send(AgentMessage<Bool>.failed("\(error)"))
        }
    }

    /// From now on this process ends when the one that started it does, however that ends: a process
    /// that stands still would not read that its input has ended (prctl(2), `PR_SET_PDEATHSIG`).
    public static func endWithLaboratory() {
        // A function with a variable number of arguments, which Swift does not import.
        typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        let setParentDeathSignal: Int32 = 1
        guard let symbol = dlsym(nil, "prctl") else { return }
        _ = unsafeBitCast(symbol, to: Control.self)(
            setParentDeathSignal,
            UInt(SIGKILL),
            0,
            0,
            0
        )
    }

    private static func serve(
        _ experiment: some Experiment,
        _ assignment: AgentAssignment,
        _ lines: inout LineReader
    ) async throws {
        try await serve(assignment, &lines) { experiment.makeMachine($0) }
    }

    private static func serve<Program: Machine>(
        _ assignment: AgentAssignment,
        _ lines: inout LineReader,
        machine: @escaping @Sendable (Birth<Program>) -> Program
    ) async throws where Program.Event: Codable {
        typealias Message = AgentMessage<Program.Event>
        let output = OutputLines()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let id = NodeID(assignment.node)
        // A device that is gone by now leaves the streams to TCP.
        let carrier = assignment.environment == .rdma ? try? RDMACarrier(for: id) : nil
        let security = try assignment.credentials?.security()
        let node = try SocketNode<Program>(
            node: id,
            on: group,
            carrier: carrier,
            security: security,
            journalPath: assignment.journalPath,
            workers: max(1, ProcessInfo.processInfo.activeProcessorCount / 2),
            machine: machine,
            observe: { event, time in
                output.send(Message.event(event, nanoseconds: time.nanoseconds))
            },
            fail: { output.send(Message.failed($0.description)) }
        )
        output.send(Message.ready(try await node.bind(to: assignment.host ?? NodeAddress.loopback)))
        var reporter: ProcessorReporter?
        loop: while let message = lines.next(as: LabMessage.self) {
            switch message {
            case .start(let peers, let origin):
                node.start(
                    peers: peers,
                    origin: origin,
                    incarnation: assignment.incarnation,
                    seed: assignment.seed
                )
                reporter = ProcessorReporter(on: group.next(), origin: origin) { sample in
                    output.send(
                        Message.processor(
                            usedNanoseconds: sample.used.nanoseconds,
                            ranNanoseconds: sample.steps?.ran.nanoseconds,
                            waitedNanoseconds: sample.steps?.waited.nanoseconds,
                            nanoseconds: sample.time.nanoseconds
                        )
                    )
                }
            case .peers(let peers):
                node.update(peers: peers)
            case .part(let parting):
                node.part(parting)
            case .sync:
                await reporter?.report()
                await node.tellClosingEvents()
                // What a step that has begun still tells comes first.
                node.afterSteps { output.send(Message.heard) }
            case .stop, .configure:
                break loop
            }
        }
        reporter?.stop()
        await node.stop()
        if let security { output.send(Message.secured(security.counts)) }
        if let carrier { output.send(Message.carried(streams: carrier.streamCount)) }
        output.send(Message.stopped(peakMemory: peakMemory()))
        try await group.shutdownGracefully()
    }
}

/// Tells what this process has used of the processor, once an interval and when asked.
private struct ProcessorReporter: Sendable {
    private let loop: any EventLoop
    private let origin: Int64
    private let tell: @Sendable (ProcessorUse.Sample) -> Void
    private let task: RepeatedTask

    /// - Parameter loop: Takes the node's steps.
    init(
        on loop: any EventLoop,
        origin: Int64,
        tell: @escaping @Sendable (ProcessorUse.Sample) -> Void
    ) {
        self.loop = loop
        self.origin = origin
        self.tell = tell
        task = loop.scheduleRepeatedTask(
            initialDelay: .zero,
            delay: .nanoseconds(ProcessorUse.interval.nanoseconds)
        ) { _ in
            ProcessorReporter.report(origin, tell)
        }
    }

    func report() async {
        _ = try? await loop.submit { [origin, tell] in ProcessorReporter.report(origin, tell) }
            .get()
    }

    func stop() { task.cancel() }

    private static func report(_ origin: Int64, _ tell: @Sendable (ProcessorUse.Sample) -> Void) {
        tell(
            ProcessorUse.Sample(
                time: Instant(nanoseconds: MonotonicClock.nanoseconds - origin),
                used: ProcessorUse.ofThisProcess(),
                steps: ProcessorUse.stepsOfThisThread()
            )
        )
    }
}

/// Standard output, a whole line at a time, from any thread.
final class OutputLines: Sendable {
    private let lock = NSLock()

    func send<Message: Encodable>(_ message: Message) {
        let line = LineCoding.line(message)
        lock.withLock { FileHandle.standardOutput.write(line) }
    }
}

/// Reads messages from a file handle, blocking.
struct LineReader {
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    /// Where the next line begins.
    private var start = 0

    init(_ handle: FileHandle) {
        self.handle = handle
    }

    /// The next message; `nil` at the end or for a line that is none.
    mutating func next<Message: Decodable>(as type: Message.Type) -> Message? {
        while true {
            if let end = buffer[start...].firstIndex(of: 10) {
                let line = Data(buffer[start..<end])
                start = end + 1
                return LineCoding.message(line, as: type)
            }
            buffer.removeFirst(start)
            start = 0
            guard let more = LineReader.read(handle.fileDescriptor) else { return nil }
            buffer += more
        }
    }

    /// What has arrived, waiting for at least a byte; `nil` at the end. A signal that interrupts the
    /// wait, such as the one that continues a paused process, ends nothing.
    private static func read(_ descriptor: Int32) -> ArraySlice<UInt8>? {
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count > 0 { return piece[..<count] }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}
