import Units

/// What a leader knows about one follower, and what is on its way there.
///
/// *probe* → *replicate* when an append matched; *replicate* → *probe* when one did not; any →
/// *snapshot* when the entries it needs are gone; *snapshot* → *replicate* once it has arrived.
struct Progress: Sendable {
    enum State: Sendable {
        /// The place where the logs agree is not known; one append at a time.
        case probe
        /// Appends follow each other without waiting.
        case replicate
        case snapshot
    }

    let peer: NodeID
    var state = State.probe
    /// Known to agree with ours and to be durable there.
    var match: LogIndex = 0
    /// The next entry to send.
    var next: LogIndex
    /// In `probe`: an append is on its way.
    var isPaused = false
    /// When it last answered anything of this term.
    var heard: Instant
    /// When it was last sent what says that the leader lives and is answered: a heartbeat, or an append that follows
    /// others.
    var contacted: Instant
    /// From a heartbeat to its answer, smoothed like TCP's estimate (RFC 6298); `nil` before the first.
    private(set) var roundTrip: Interval?
    /// The latest round that it was asked for.
    var askedRound: UInt64 = 0
    /// The read round that it has confirmed.
    var confirmedRound: UInt64 = 0
    /// The end of the lease that it has given.
    var leaseEnd = Instant(nanoseconds: .min)
    /// In `snapshot`: which one, and how much of it has arrived and was sent.
    var snapshotIndex: LogIndex = 0
    var snapshotReceived: UInt64 = 0
    /// What the follower said last; less than `snapshotReceived` when it forgot, or in an old answer.
    var snapshotAnswered: UInt64 = 0
    var snapshotSent: UInt64 = 0
    /// When it last showed progress with appends or chunks; older ones are sent again.
    var progressed: Instant

    // The appends on their way, oldest first: a ring, so that nothing moves.
    private var ring: [(last: LogIndex, bytes: Int)] = []
    private var head = 0
    private(set) var inFlight = 0
    private(set) var inFlightBytes = 0

    init(peer: NodeID, next: LogIndex, at now: Instant) {
        self.peer = peer
        self.next = next
        heard = now
        contacted = now
        progressed = now
    }

    /// Takes the time, not negative, that one heartbeat and its answer took, or that was waited for one in vain.
    mutating func measured(_ sample: Interval) {
        roundTrip = roundTrip.map { $0 + (sample - $0) / 8 } ?? sample
    }

    /// Whether reads should rather ask this one: it is nearer, or not known to be farther and was heard later.
    func isNearer(than other: Progress) -> Bool {
        let (own, others) = (roundTrip ?? .nanoseconds(.max), other.roundTrip ?? .nanoseconds(.max))
        return own == others ? heard > other.heard : own < others
    }

    mutating func sent(through last: LogIndex, bytes: Int, capacity: Int) {
        if ring.isEmpty { ring = Array(repeating: (0, 0), count: capacity) }
        precondition(inFlight < ring.count, "\(inFlight) appends in flight")
        ring[(head + inFlight) % ring.count] = (last, bytes)
        inFlight += 1
        inFlightBytes += bytes
    }

    mutating func acknowledged(through index: LogIndex) {
        while inFlight > 0, ring[head].last <= index { freeFirst() }
    }

    mutating func freeFirst() {
        inFlightBytes -= ring[head].bytes
        head = (head + 1) % ring.count
        inFlight -= 1
    }

    mutating func clearFlight() {
        head = 0
        inFlight = 0
        inFlightBytes = 0
    }

    mutating func becomeProbe(next: LogIndex) {
        state = .probe
        self.next = next
        isPaused = false
        clearFlight()
    }

    mutating func becomeReplicate() {
        state = .replicate
        next = max(next, match + 1)
        isPaused = false
        clearFlight()
    }

    func checkInvariants() {
        precondition(match < next, "\(peer): match \(match), next \(next)")
        precondition(inFlight >= 0 && inFlightBytes >= 0, "\(peer): \(inFlight), \(inFlightBytes)")
    }
}
