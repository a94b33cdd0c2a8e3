import Machines
import Transport
import Units

/// A sender and a receiver on a stage: bytes move only when the script carries them.
final class TransportTheatre {
    static let session = SessionID(sender: NodeID(0), number: 5)

    var now = Instant.zero
    var sender: BulkSender
    var receiver: BulkReceiver
    /// Written and not carried, by stream ordinal.
    private var toReceiver: [Int: [Bytes]] = [:]
    private var toSender: [Int: [Bytes]] = [:]
    /// Reads what is written, to tell it frame by frame.
    private var narrators: [String: FrameDecoder] = [:]
    private var log: [String] = []

    init(configuration: TransportConfiguration, receiverWindow: Int? = nil) {
        (sender, receiver) = TransportTheatre.ends(configuration, receiverWindow)
    }

    /// Other ends, before anything has happened.
    func recast(configuration: TransportConfiguration) {
        (sender, receiver) = TransportTheatre.ends(configuration, nil)
    }

    private static func ends(
        _ configuration: TransportConfiguration,
        _ receiverWindow: Int?
    ) -> (BulkSender, BulkReceiver) {
        let sender = BulkSender(
            session: TransportTheatre.session,
            peer: NodeID(1),
            configuration: configuration
        )
        var theirs = configuration
        theirs.window = receiverWindow ?? configuration.window
        let receiver = BulkReceiver(
            session: TransportTheatre.session,
            epoch: 0,
            configuration: theirs
        )
        return (sender, receiver)
    }

    func takeLog() -> [String] {
        defer { log = [] }
        return log
    }

    func stream(_ ordinal: Int) -> StreamID { TransportTheatre.session.stream(ordinal) }

    func toSender(_ input: Input<BulkSender>) {
        var actions = Actions<BulkSender>()
        sender.step(input, at: now, into: &actions)
        sender.checkInvariants()
        for action in actions.elements {
            switch action {
            case .openStream(let id, _, _): log.append("sender opens \(name(id))")
            case .write(let id, let bytes):
                toReceiver[SessionID.ordinal(of: id), default: []].append(bytes)
                narrate("sender", id, bytes)
            case .finish(let id): log.append("sender finishes \(name(id))")
            case .reset(let id): log.append("sender resets \(name(id))")
            // Set again all the time; scripts let it fire when its time matters.
            case .setTimer(.watch, _), .cancelTimer(.watch): break
            case .setTimer(let timer, let time):
                log.append("sender sets \(name(timer)) at \(time)")
            case .cancelTimer(let timer): log.append("sender cancels \(name(timer))")
            case .emit(let event): log.append("sender: \(describe(event))")
            case .grant: break
            case .send, .persist, .compute: log.append("sender does what it cannot")
            }
        }
    }

    func toReceiver(_ input: Input<BulkReceiver>) {
        var actions = Actions<BulkReceiver>()
        receiver.step(input, at: now, into: &actions)
        receiver.checkInvariants()
        for action in actions.elements {
            switch action {
            case .write(let id, let bytes):
                toSender[SessionID.ordinal(of: id), default: []].append(bytes)
                narrate("receiver", id, bytes)
            case .finish(let id): log.append("receiver finishes \(name(id))")
            case .reset(let id): log.append("receiver resets \(name(id))")
            case .setTimer(.sweep, _), .cancelTimer(.sweep): break
            case .setTimer(_, let time): log.append("receiver sets stalled at \(time)")
            case .cancelTimer: log.append("receiver cancels stalled")
            case .emit(let event): log.append("receiver: \(describe(event))")
            case .grant: break
            case .openStream, .send, .persist, .compute:
                log.append("receiver does what it cannot")
            }
        }
    }

    /// Moves up to `limit` bytes of the sender's on a stream.
    func carry(_ ordinal: Int, limit: Int = .max, flipping: Bool = false) {
        var left = limit
        while left > 0, var first = toReceiver[ordinal]?.first {
            let piece = first.prefix(left)
            left -= piece.count
            first = first.dropFirst(piece.count)
            if first.isEmpty {
                toReceiver[ordinal]?.removeFirst()
            } else {
                toReceiver[ordinal]?[0] = first
            }
            var copy = [UInt8](piece)
            if flipping { copy[copy.count - 1] ^= 1 }
            toReceiver(.readable(stream(ordinal), copy[...]))
        }
    }

    /// Moves everything of the receiver's on a stream.
    func returnAll(_ ordinal: Int) {
        for bytes in toSender.removeValue(forKey: ordinal) ?? [] {
            toSender(.readable(stream(ordinal), bytes))
        }
    }

    /// Loses a stream at both ends, with what was on it.
    func drop(_ ordinal: Int) {
        toReceiver[ordinal] = nil
        toSender[ordinal] = nil
        toSender(.reset(stream(ordinal), .failed))
        toReceiver(.reset(stream(ordinal), .failed))
    }

    private func narrate(_ side: String, _ id: StreamID, _ bytes: Bytes) {
        let key = side + name(id)
        var decoder = narrators[key] ?? FrameDecoder(session: TransportTheatre.session)
        var rest = bytes
        while let frame = try? decoder.next(from: &rest) {
            log.append("\(side) writes \(describe(frame)) on \(name(id))")
        }
        narrators[key] = decoder
    }

    private func describe(_ frame: Frame) -> String {
        let header = frame.header
        return switch header.kind {
        case .hello: "hello to \(header.number), window \(header.value)"
        case .chunk:
            header.isLast
                ? "last chunk \(header.number)" : "chunk \(header.number) (\(header.length))"
        case .welcome: "welcome from \(header.number), limit \(header.value)"
        case .acknowledgement: "acknowledgement \(header.number), limit \(header.value)"
        case .limit: "limit \(header.value)"
        case .note: "note \(header.number)"
        case .noteAcknowledgement: "notes below \(header.number)"
        case .refusal: "refusal \(header.number)"
        case .farewell: "farewell"
        case .probe: "probe \(header.number)"
        case .probeAnswer: "probe answer \(header.number)"
        }
    }

    private func describe(_ event: BulkSender.Event) -> String {
        switch event {
        case .room(let bytes): "room \(bytes)"
        case .acknowledged(let chunk): "acknowledged \(chunk)"
        case .noted(let bytes): "noted \(bytes.count) bytes"
        case .completed: "completed"
        case .failed(let error): "failed \(error)"
        case .tuned(let setting): "tuned to \(setting.streams) \(setting.congestion.rawValue)"
        case .modeChanged(let from, let to): "mode \(from.rawValue) -> \(to.rawValue)"
        case .streamLost(let slot, let error): "lost stream of slot \(slot): \(error)"
        }
    }

    private func describe(_ event: BulkReceiver.Event) -> String {
        switch event {
        case .delivered(let chunk, let payload): "delivered \(chunk) (\(payload.count))"
        case .noted(let bytes): "noted \(bytes.count) bytes"
        case .completed: "completed"
        case .failed(let error): "failed \(error)"
        case .streamLost(let id, let error): "lost \(name(id)): \(error)"
        }
    }

    private func name(_ id: StreamID) -> String { "#\(SessionID.ordinal(of: id))" }

    private func name(_ timer: BulkSender.Timer) -> String {
        switch timer {
        case .reopen(let slot): "reopen \(slot)"
        case .stalled: "stalled"
        case .watch: "watch"
        case .deadline: "deadline"
        }
    }
}
