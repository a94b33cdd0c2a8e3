import Determinism
import Machines
import Units

/// A machine that tells every fact it learns and otherwise does what its script says.
struct Probe: Machine {
    typealias Message = ProbeMessage
    typealias Timer = UInt32
    typealias Write = ProbeRecord
    typealias Job = ProbeJob
    typealias Event = ProbeFact
    typealias Script =
        @Sendable (inout ProbeMemory, Input<Probe>, Instant, inout Actions<Probe>)
        -> Void

    private var memory: ProbeMemory
    private let script: Script

    init(_ birth: Birth<Probe>, script: @escaping Script) {
        memory = ProbeMemory(node: birth.node, incarnation: birth.incarnation, seed: birth.seed)
        memory.recovered = birth.recovered.map(\.number)
        self.script = script
    }

    mutating func step(
        _ input: Input<Probe>,
        at now: Instant,
        into actions: inout Actions<Probe>
    ) {
        actions.emit(fact(of: input, at: now))
        script(&memory, input, now, &actions)
    }

    private mutating func fact(of input: Input<Probe>, at now: Instant) -> ProbeFact {
        switch input {
        case .started:
            return .started(incarnation: memory.incarnation, recovered: memory.recovered)
        case .requested:
            preconditionFailure("nobody asks a probe for anything")
        case .received(let message, let sender):
            return .received(message, from: sender)
        case .fired(let timer):
            return .fired(timer, at: now)
        case .persisted(let id):
            return .persisted(id.rawValue)
        case .computed(let id, let output):
            return .computed(id.rawValue, output)
        case .streamOpened(let stream, let peer):
            return .opened(stream, peer: peer)
        case .writable(let stream, let credit):
            memory.credit[stream] = credit
            return .writable(stream, credit: credit)
        case .readable(let stream, let bytes):
            let offset = memory.read[stream] ?? 0
            memory.read[stream] = offset + bytes.count
            let isRight = bytes.elementsEqual(ProbeContent.bytes(from: offset, count: bytes.count))
            return .readable(stream, total: offset + bytes.count, isRight: isRight)
        case .finished(let stream):
            return .finished(stream, total: memory.read[stream] ?? 0)
        case .reset(let stream, let reason):
            return .reset(stream, reason)
        case .path(let stream, let sample):
            return .path(stream, sample)
        }
    }
}

/// What a probe's script may keep.
struct ProbeMemory: Sendable {
    let node: NodeID
    let incarnation: UInt32
    var recovered: [UInt64] = []
    var random: SeededRandom
    /// Bytes read so far and the credit last given, by stream.
    var read: [StreamID: Int] = [:]
    var credit: [StreamID: Int] = [:]
    private var written: [StreamID: Int] = [:]
    private var finished: Set<StreamID> = []
    var counter: UInt32 = 0

    init(node: NodeID, incarnation: UInt32, seed: UInt64) {
        self.node = node
        self.incarnation = incarnation
        random = SeededRandom(seed: seed, entity: EntityID(node), purpose: "probe")
    }

    /// Writes the content up to `total`, as far as the credit goes, in pieces of random sizes, and
    /// finishes after the last byte.
    mutating func write(
        _ stream: StreamID,
        upTo total: Int,
        finishes: Bool = true,
        into actions: inout Actions<Probe>
    ) {
        var credit = credit[stream] ?? 0
        var offset = written[stream] ?? 0
        while offset < total, credit > 0 {
            let largest = UInt64(min(credit, total - offset))
            // One time in four all of the credit at once.
            let count = Int(random.below(4) == 0 ? largest : 1 + random.below(largest))
            actions.write(stream, ProbeContent.bytes(from: offset, count: count))
            offset += count
            credit -= count
        }
        written[stream] = offset
        self.credit[stream] = credit
        if offset == total, finishes, finished.insert(stream).inserted { actions.finish(stream) }
    }
}

/// What every stream of a probe carries: seeded noise, so that a lost, repeated or misplaced piece
/// shows.
enum ProbeContent {
    private static let all: [UInt8] = {
        var random = SeededRandom(stateFrom: 77)
        return (0..<(6 << 17)).flatMap { _ in
            let word = random.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
    }()

    static func bytes(from offset: Int, count: Int) -> Bytes { all[offset..<offset + count] }
}

/// A fact that a probe learned.
enum ProbeFact: Sendable, Equatable {
    case started(incarnation: UInt32, recovered: [UInt64])
    case received(ProbeMessage, from: NodeID)
    case fired(UInt32, at: Instant)
    case persisted(UInt64)
    case computed(UInt64, UInt64)
    case opened(StreamID, peer: NodeID)
    case writable(StreamID, credit: Int)
    /// `isRight` tells whether the bytes are those that belong there.
    case readable(StreamID, total: Int, isRight: Bool)
    case finished(StreamID, total: Int)
    case reset(StreamID, StreamResetReason)
    case path(StreamID, PathSample)
    /// Something the script says.
    case note(UInt32)

    /// The stream that the fact is about.
    var stream: StreamID? {
        switch self {
        case .opened(let stream, _), .writable(let stream, _), .readable(let stream, _, _),
            .finished(let stream, _), .reset(let stream, _), .path(let stream, _):
            stream
        case .started, .received, .fired, .persisted, .computed, .note:
            nil
        }
    }

    var isReset: Bool { if case .reset = self { true } else { false } }
    var isFinished: Bool { if case .finished = self { true } else { false } }
    var isOpened: Bool { if case .opened = self { true } else { false } }
}

struct ProbeMessage: WireMessage {
    var number: UInt64
    var payload: [UInt8]

    init(number: UInt64, size: Int) {
        self.number = number
        payload = Array(ProbeContent.bytes(from: Int(number), count: size))
    }

    func encode(into writer: inout WireWriter) {
        writer.write(number)
        writer.write(lengthPrefixed: payload)
    }

    init(from reader: inout WireReader) throws(WireError) {
        number = try reader.read()
        payload = Array(try reader.readLengthPrefixed(limit: 1 << 16))
        try reader.expectEnd()
    }
}

struct ProbeRecord: DurableRecord {
    var number: UInt64
    var supersedesEarlier: Bool

    init(_ number: UInt64, supersedesEarlier: Bool = false) {
        self.number = number
        self.supersedesEarlier = supersedesEarlier
    }

    func encode(into writer: inout WireWriter) {
        writer.write(number)
        writer.write(UInt8(supersedesEarlier ? 1 : 0))
    }

    init(from reader: inout WireReader) throws(WireError) {
        number = try reader.read()
        supersedesEarlier = try reader.read(UInt8.self) == 1
    }
}

/// Steps a generator `rounds` times; `megabytes` is what a hardware profile charges for it.
struct ProbeJob: Work {
    var seed: UInt64
    var rounds: Int
    var megabytes: Int

    func run() -> UInt64 {
        var random = SeededRandom(stateFrom: seed)
        for _ in 1..<rounds { _ = random.next() }
        return random.next()
    }
    func cost(of output: UInt64) -> WorkCost {
        WorkCost(.checksum, ByteCount(megabytes * 1_000_000))
    }
    static func digest(of output: UInt64, into chain: inout HashChain) { chain.combine(output) }
}
