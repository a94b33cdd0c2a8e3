public import Determinism
public import Machines
public import Units

/// A datagram of the echo protocol.
public enum EchoMessage: WireMessage, Hashable {
    /// The longest payload of a ping, in bytes.
    public static let payloadLimit = 1 << 15

    /// "Remember this number and send the payload back."
    case ping(sequence: UInt64, payload: Bytes)
    /// "The number is durable here; `served` numbers are."
    case pong(sequence: UInt64, served: UInt64, payload: Bytes)

    public func encode(into writer: inout WireWriter) {
        switch self {
        case .ping(let sequence, let payload):
            writer.write(UInt8(1))
            writer.write(sequence)
            writer.write(lengthPrefixed: payload)
        case .pong(let sequence, let served, let payload):
            writer.write(UInt8(2))
            writer.write(sequence)
            writer.write(served)
            writer.write(lengthPrefixed: payload)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        let limit = EchoMessage.payloadLimit
        switch try reader.read(UInt8.self) {
        case 1:
            self = .ping(
                sequence: try reader.read(),
                payload: try reader.readLengthPrefixed(limit: limit)
            )
        case 2:
            self = .pong(
                sequence: try reader.read(),
                served: try reader.read(),
                payload: try reader.readLengthPrefixed(limit: limit)
            )
        case let kind:
            throw .malformed("echo message of unknown kind \(kind)")
        }
        try reader.expectEnd()
    }
}

/// What an echo server must not forget: that it promised to remember a number.
public struct EchoRecord: DurableRecord, Hashable {
    public let client: NodeID
    public let sequence: UInt64

    public init(client: NodeID, sequence: UInt64) {
        self.client = client
        self.sequence = sequence
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(client.rawValue)
        writer.write(sequence)
    }

    public init(from reader: inout WireReader) throws(WireError) {
        client = NodeID(try reader.read())
        sequence = try reader.read()
        try reader.expectEnd()
    }
}

/// The server's heavy work: the checksum of what came over a stream.
public struct EchoJob: Work {
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    public func run() -> UInt64 { EchoJob.checksum(bytes) }

    public func cost(of output: UInt64) -> WorkCost {
        WorkCost(.checksum, ByteCount(bytes.count))
    }

    public static func digest(of output: UInt64, into chain: inout HashChain) {
        chain.combine(output)
    }

    /// The checksum that ends an echoed stream.
    public static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var chain = HashChain()
        chain.combine(bytes: bytes[...])
        return chain.fingerprint.low
    }
}

/// What an echo client or server reports.
public enum EchoEvent: Sendable, Hashable, Codable {
    /// A ping was answered; latency counts from the time at which it was meant to be sent, `equal`
    /// tells whether the payload was the one sent.
    case answered(sequence: UInt64, latencyNanoseconds: Int64, attempts: UInt32, equal: Bool)
    /// A ping was given up after all attempts.
    case unanswered(sequence: UInt64, waitedNanoseconds: Int64)
    /// A stream came back; `equal` tells whether bytes and checksum were those sent.
    case echoed(bytes: Int, equal: Bool)
    /// A server answered with fewer durable numbers than it had claimed before.
    case forgot(claimed: UInt64, before: UInt64)
    /// A server began with this many durable numbers.
    case serving(incarnation: UInt32, recovered: Int)
    /// A client has an outcome for every ping and stream.
    case done
}
