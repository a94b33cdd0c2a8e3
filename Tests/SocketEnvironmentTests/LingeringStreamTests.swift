import Glibc
import Machines
import NIOPosix
import SocketEnvironment
import Synchronization
import Testing
import Units

/// Goal: a stream that both machines have finished is still the node's: it ends with the node, and a peer that takes
/// nothing of what is left to send does not keep it for ever.
/// Method: a peer that says that it has finished and does not read; the machine has written all it may.
@Suite(.timeLimit(.minutes(5))) struct LingeringStreamTests {
    /// A node whose machine has finished the stream of a peer that reads nothing.
    private func finished(_ limit: Interval) async throws -> (SocketNode<Flood>, SilentReader) {
        let facts = AsyncStream.makeStream(of: String.self)
        let node = try SocketNode<Flood>(
            node: NodeID(0),
            on: MultiThreadedEventLoopGroup.singleton,
            carrier: nil,
            journalPath: nil,
            workers: 1,
            lingerLimit: limit,
            machine: { _ in Flood() },
            observe: { event, _ in facts.continuation.yield(event) },
            fail: { Issue.record("\($0)") }
        )
        let address = try await node.bind()
        node.start(
            peers: [address, address],
            origin: MonotonicClock.nanoseconds,
            incarnation: 0,
            seed: 1
        )
        let reader = try SilentReader(port: address.streamPort)
        let id = StreamID(opener: NodeID(1), number: 1)
        reader.send(StreamPreamble(id, receiveCredit: 1 << 20).bytes)
        var heard = facts.stream.makeAsyncIterator()
        #expect(await heard.next() == "full")
        reader.finish()
        let written = await heard.next()
        reader.expected = written.flatMap { Int($0) } ?? -1
        while node.streamCount > 0 { await Task.yield() }
        return (node, reader)
    }

    @Test func itEndsInAResetWithItsNode() async throws {
        let (node, reader) = try await finished(.seconds(3_600))
        await node.stop()
        #expect(reader.readToTheEnd() == ECONNRESET)
    }

    @Test func aPeerThatTakesNothingLosesTheRest() async throws {
        let (node, reader) = try await finished(.milliseconds(100))
        while !reader.hasFailed { await Task.yield() }
        #expect(reader.readToTheEnd() == ECONNRESET)
        await node.stop()
    }

    @Test func aPeerThatReadsGetsEverything() async throws {
        let (node, reader) = try await finished(.seconds(3_600))
        #expect(reader.readToTheEnd() == 0)
        #expect(reader.received == reader.expected)
        await node.stop()
    }
}

/// Writes until the medium takes no more, finishes when the peer has, and tells how much it wrote.
private struct Flood: Machine {
    typealias Event = String
    typealias Timer = UInt32
    private var written = 0

    mutating func step(_ input: Input<Flood>, at now: Instant, into actions: inout Actions<Flood>) {
        switch input {
        case .writable(let id, let credit):
            guard credit > 0 else { return }
            actions.write(id, Bytes(repeating: 7, count: credit))
            written += credit
            // No more room within this time: the peer's kernel is full.
            actions.setTimer(0, at: now + .milliseconds(500))
        case .fired: actions.emit("full")
        case .finished(let id):
            actions.finish(id)
            actions.emit("\(written)")
        default: break
        }
    }
}

/// A connection on a bare socket.
private final class SilentReader {
    private let descriptor: Int32
    /// Bytes that were written to it, and that it has read.
    var expected = 0
    private(set) var received = 0

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var room: Int32 = 16 << 10
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_RCVBUF,
            &room,
            socklen_t(MemoryLayout.size(ofValue: room))
        )
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(port).bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &place) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Whether the connection has broken, without reading of it.
    var hasFailed: Bool {
        var wait = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&wait, 1, 0) == 1 && wait.revents & Int16(POLLERR) != 0
    }

    /// The error in which the connection ends; zero for the peer's finish.
    func readToTheEnd() -> Int32 {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { return 0 }
            if count < 0 { return errno }
            received += count
        }
    }
}
