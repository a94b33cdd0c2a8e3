public import Machines
public import Units

/// A small client and server that use every part of the machine contract; the template for new
/// protocols.
///
/// The client sends numbered pings in an open loop (the schedule does not wait for answers) and, now
/// and then, a byte stream. The server makes each number durable before it answers, so whatever was
/// answered survives its crash; a repeated ping is answered from memory. A stream comes back byte for
/// byte, followed by its checksum, which the server computes as a job.
///
/// Bounds: at most `EchoPlan.pings` pings are outstanding, one stream at a time, a stream carries at
/// most `Echo.streamLimit` bytes.
public struct Echo: Machine {
    public typealias Message = EchoMessage
    public typealias Timer = EchoTimer
    public typealias Write = EchoRecord
    public typealias Job = EchoJob
    public typealias Event = EchoEvent

    /// The longest stream a server takes; longer ones are reset.
    public static let streamLimit = 1 << 20

    // Exactly one is set. Two optionals instead of an enum with payloads: they are changed in place,
    // while taking a payload out of an enum and putting it back would copy what it holds.
    private var client: EchoClient?
    private var server: EchoServer?

    /// A node that answers.
    public static func server(_ birth: Birth<Echo>) -> Echo {
        Echo(client: nil, server: EchoServer(birth))
    }

    /// A node that asks; it starts at once.
    public static func client(_ birth: Birth<Echo>, plan: EchoPlan) -> Echo {
        Echo(client: EchoClient(birth, plan: plan), server: nil)
    }

    public mutating func step(
        _ input: Input<Echo>,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        client?.step(input, at: now, into: &actions)
        server?.step(input, at: now, into: &actions)
    }

    public func checkInvariants() {
        precondition((client == nil) != (server == nil), "a node is a client or a server")
        client?.checkInvariants()
        server?.checkInvariants()
    }
}

/// The timers of an echo client.
public enum EchoTimer: Hashable, Sendable {
    /// The next ping is due.
    case next
    /// The answer to a ping is overdue.
    case overdue(UInt64)
    /// A broken stream may be tried again.
    case retryStream
}

/// What an echo client is to do.
public struct EchoPlan: Hashable, Sendable {
    public var server: NodeID
    /// How many pings to send, at least one.
    public var pings: UInt64
    /// Bytes that each ping carries, at most `EchoMessage.payloadLimit`.
    public var payloadBytes: Int
    /// The time between two pings, more than zero.
    public var spacing: Interval
    /// How long to wait for an answer before the ping is sent again.
    public var timeout: Interval
    /// How often a ping is sent before it is given up.
    public var attempts: UInt32
    /// The length of each stream in bytes; zero sends none.
    public var streamBytes: Int
    /// How many streams are echoed, one after the other.
    public var streams: UInt32

    public init(
        server: NodeID,
        pings: UInt64,
        payloadBytes: Int,
        spacing: Interval,
        timeout: Interval,
        attempts: UInt32,
        streamBytes: Int,
        streams: UInt32
    ) {
        precondition(streamBytes <= Echo.streamLimit, "a stream of \(streamBytes) bytes")
        self.server = server
        precondition(payloadBytes <= EchoMessage.payloadLimit, "a ping of \(payloadBytes) bytes")
        self.pings = pings
        self.payloadBytes = payloadBytes
        self.spacing = spacing
        self.timeout = timeout
        self.attempts = attempts
        self.streamBytes = streamBytes
        self.streams = streams
    }
}
