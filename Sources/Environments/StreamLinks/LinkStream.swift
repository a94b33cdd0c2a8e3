import Machines
import Units

/// One stream's state on one side of a link.
struct LinkStream: Sendable {
    /// Bytes that may wait here for the ring; the credit of a machine that has written nothing.
    static let sendLimit = 1 << 20

    let priority: UInt8
    /// Receive credit of both sides at the beginning.
    let window: Int

    /// What the peer was told of the stream.
    var isAnnounced: Bool
    /// Written by the machine and not yet placed in the ring.
    private var queue: [Bytes] = []
    private var first = 0
    private(set) var queued = 0
    private(set) var sent = 0
    /// Bytes that the peer lets us have sent since the beginning.
    private var sendLimitOfPeer: Int

    private(set) var received = 0
    /// Bytes that the machine, and as the peer knows it, that the peer may have sent.
    private(set) var granted: Int
    private(set) var announcedGrant: Int

    var isFinishing = false
    var isFinishSent = false
    var isPeerFinished = false

    /// Measures the path; see `StreamLink.completed`.
    var measured: (since: Instant, bytes: Int)

    init(window: Int, priority: UInt8, isAnnounced: Bool, at now: Instant) {
        self.window = window
        self.priority = priority
        self.isAnnounced = isAnnounced
        sendLimitOfPeer = window
        granted = window
        announcedGrant = window
        measured = (now, 0)
    }

    var credit: Int { LinkStream.sendLimit - queued }
    var isComplete: Bool { isFinishSent && isPeerFinished }
    /// Bytes that may be placed now as far as the stream is concerned.
    var placeable: Int { isAnnounced ? min(queued, sendLimitOfPeer - sent) : 0 }
    /// Whether the machine's end should be told now: everything it wrote is on its way.
    var wantsFinish: Bool { isAnnounced && isFinishing && !isFinishSent && queued == 0 }
    /// Whether the peer should hear what the machine granted: a quarter of the window, or anything
    /// when it may send nothing.
    var wantsGrant: Bool {
        isAnnounced && !isPeerFinished && granted > announcedGrant
            && (granted - announcedGrant >= window / 4 || announcedGrant == received)
    }

    mutating func write(_ bytes: Bytes) {
        precondition(
            bytes.count <= credit && !isFinishing,
            "\(bytes.count) bytes written with a credit of \(credit), finishing: \(isFinishing)"
        )
        guard !bytes.isEmpty else { return }
        queue.append(bytes)
        queued += bytes.count
    }

    /// Takes the next `count` bytes off the queue.
    mutating func next(_ count: Int) -> [Bytes] {
        precondition(count <= placeable, "\(count) bytes taken of \(placeable)")
        var pieces: [Bytes] = []
        var missing = count
        while missing > 0 {
            let piece = queue[first]
            if piece.count <= missing {
                pieces.append(piece)
                missing -= piece.count
                queue[first] = []
                first += 1
            } else {
                pieces.append(piece.prefix(missing))
                queue[first] = piece.dropFirst(missing)
                missing = 0
            }
        }
        if first == queue.count || first > 64 {
            queue.removeSubrange(..<first)
            first = 0
        }
        queued -= count
        sent += count
        return pieces
    }

    mutating func grant(_ count: Int) {
        precondition(count >= 0, "a grant of \(count) bytes")
        granted += count
    }

    /// Tells how much the peer may have sent.
    mutating func announceGrant() -> UInt64 {
        announcedGrant = granted
        return UInt64(granted)
    }

    /// Takes the peer's grant; one that takes back is none.
    mutating func extend(to total: UInt64) {
        sendLimitOfPeer = max(sendLimitOfPeer, Int(total))
    }

    /// Counts bytes that arrived; false when the peer may not have sent them.
    mutating func receive(_ count: Int) -> Bool {
        guard !isPeerFinished, count <= announcedGrant - received else { return false }
        received += count
        return true
    }
}
