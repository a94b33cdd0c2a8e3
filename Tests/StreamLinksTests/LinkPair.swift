import Determinism
import Machines
import StreamLinks
import Units

/// Two ends of a link with a pretended medium between them: what is posted arrives in order, some
/// time later, and completes some time after that.
struct LinkPair {
    static let receives = 16
    static let length = 4_096

    struct Side {
        var link: StreamLink
        /// Posted and not yet arrived at the other side, and how many of those that arrived have not
        /// completed here.
        var flight: [StreamLink.Action] = []
        var uncompleted = 0
        /// The ring of this side, as the peer has written it.
        var ring = [UInt8](repeating: 0, count: LinkPair.length)
        var told: [(stream: UInt32, happening: StreamLink.Happening)] = []
        var failure: StreamLink.Failure?
    }

    var sides: [Side]
    var now = Instant(nanoseconds: 0)

    init(isConnected: Bool = true) {
        sides = [StreamLink.Role.opener, .acceptor].map { role in
            Side(
                link: StreamLink(
                    role: role,
                    receiveLength: LinkPair.length,
                    receives: LinkPair.receives,
                    postLimit: 12
                )
            )
        }
        guard isConnected else { return }
        for side in 0...1 { connect(side) }
    }

    mutating func connect(_ side: Int) {
        sides[side].link.connect(sendLength: LinkPair.length, peerReceives: LinkPair.receives)
        advance(side)
    }

    mutating func advance(_ side: Int) {
        var actions: [StreamLink.Action] = []
        sides[side].link.advance(at: now, into: &actions)
        take(actions, side)
    }

    mutating func take(_ actions: [StreamLink.Action], _ side: Int) {
        for action in actions {
            switch action {
            case .place(let offset, let pieces, _):
                // As early as a device may write: what the peer has not taken would be overwritten.
                let bytes = pieces.flatMap { $0 }
                sides[1 - side].ring.replaceSubrange(offset..<offset + bytes.count, with: bytes)
                sides[side].flight.append(action)
            case .send: sides[side].flight.append(action)
            case .tell(let stream, let happening): sides[side].told.append((stream, happening))
            case .fail(let failure): sides[side].failure = failure
            }
        }
    }

    /// The oldest posted by `side` arrives; false when there is none.
    mutating func arrive(from side: Int) -> Bool {
        guard !sides[side].flight.isEmpty else { return false }
        let action = sides[side].flight.removeFirst()
        sides[side].uncompleted += 1
        let other = 1 - side
        var actions: [StreamLink.Action] = []
        switch action {
        case .send(let message):
            sides[other].link.receive(message[...], at: now, into: &actions)
        case .place(_, let pieces, let stream):
            let ring = sides[other].ring
            let count = pieces.reduce(0) { $0 + $1.count }
            sides[other].link.arrive(count, for: stream, into: &actions) { ring[$0] }
        case .tell, .fail:
            break
        }
        sides[other].link.advance(at: now, into: &actions)
        take(actions, other)
        return true
    }

    /// The oldest that has arrived completes; false when there is none.
    mutating func complete(_ side: Int) -> Bool {
        guard sides[side].uncompleted > 0 else { return false }
        sides[side].uncompleted -= 1
        var actions: [StreamLink.Action] = []
        sides[side].link.completed(at: now, into: &actions)
        sides[side].link.advance(at: now, into: &actions)
        take(actions, side)
        return true
    }

    /// Until nothing moves any more.
    mutating func settle() {
        while arrive(from: 0) || arrive(from: 1) || complete(0) || complete(1) {}
    }

    mutating func lose(_ side: Int, _ failure: StreamLink.Failure) {
        var actions: [StreamLink.Action] = []
        sides[side].link.lose(failure, into: &actions)
        take(actions, side)
    }
}
