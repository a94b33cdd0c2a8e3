public import Units

/// A fact that happened; the only way a machine learns anything.
public enum Input<Program: Machine>: Sendable {
    /// The machine was born and may act; always the first input.
    case started
    /// The local application asks for something.
    case requested(Program.Request)
    /// A datagram arrived. Datagrams may be lost, repeated or overtaken.
    case received(Program.Message, from: NodeID)
    /// A timer that was set and not cancelled has come due.
    case fired(Program.Timer)
    /// The batch is durable; it and all earlier batches survive a crash.
    case persisted(WriteID)
    /// A job has finished.
    case computed(JobID, Program.Job.Output)
    /// A stream is established: our own open was accepted, or a peer opened one to us.
    case streamOpened(StreamID, peer: NodeID)
    /// The stream accepts `credit` bytes in all beyond those written so far.
    case writable(StreamID, credit: Int)
    /// The next bytes of the peer's side, in order, without gaps.
    case readable(StreamID, Bytes)
    /// The peer finished its side; no more bytes follow.
    case finished(StreamID)
    /// The stream is gone; bytes not yet acknowledged by the application's own protocol may be lost.
    case reset(StreamID, StreamResetReason)
    /// A fresh measurement of the stream's path.
    case path(StreamID, PathSample)
}

/// Bytes that travel or are stored: an immutable slice of shared storage; slicing copies nothing.
public typealias Bytes = ArraySlice<UInt8>

extension Bytes {
    /// Whether the bytes are the same: `==`, eight at a time.
    public func isSame(as other: Bytes) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                var place = 0
                while place + 8 <= left.count {
                    let isEqual =
                        left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                        == right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    guard isEqual else { return false }
                    place += 8
                }
                while place < left.count {
                    guard left[place] == right[place] else { return false }
                    place += 1
                }
                return true
            }
        }
    }

    /// Which bytes come first in lexicographic order, eight at a time: negative when these do, zero when both are
    /// the same, positive when the others do.
    public func order(to other: Bytes) -> Int {
        withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                let common = Swift.min(left.count, right.count)
                var place = 0
                while place + 8 <= common {
                    let mine = UInt64(
                        bigEndian: left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    )
                    let theirs = UInt64(
                        bigEndian: right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    )
                    if mine != theirs { return mine < theirs ? -1 : 1 }
                    place += 8
                }
                while place < common {
                    if left[place] != right[place] { return left[place] < right[place] ? -1 : 1 }
                    place += 1
                }
                return left.count - right.count
            }
        }
    }
}

/// The name of one batch of durable records, chosen by the machine.
public struct WriteID: Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// The name of one job, chosen by the machine.
public struct JobID: Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// One byte stream between two nodes, named by the side that opened it.
public struct StreamID: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The node that opened the stream.
    public let opener: NodeID
    /// Chosen by the opener; never used twice by one incarnation.
    public let number: UInt32

    public init(opener: NodeID, number: UInt32) {
        self.opener = opener
        self.number = number
    }

    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.opener == right.opener ? left.number < right.number : left.opener < right.opener
    }
}

/// How a stream should be carried.
public struct StreamOptions: Hashable, Sendable {
    public var congestionControl: CongestionControl
    /// Sending is spread at this rate; `nil` leaves it to the congestion control.
    public var pacing: BitRate?
    /// Control traffic (0) is carried before bulk (higher values) where the medium can tell.
    public var priority: UInt8
    /// Bytes the receiver grants before the application grants more.
    public var receiveCredit: Int

    public init(
        congestionControl: CongestionControl = .cubic,
        pacing: BitRate? = nil,
        priority: UInt8 = 1,
        receiveCredit: Int = 1 << 20
    ) {
        self.congestionControl = congestionControl
        self.pacing = pacing
        self.priority = priority
        self.receiveCredit = receiveCredit
    }
}

/// The congestion control that a stream asks for, by its usual name.
public enum CongestionControl: String, Hashable, Sendable, CaseIterable, Codable {
    /// RFC 6582.
    case newReno = "newreno"
    /// RFC 9438.
    case cubic
    /// BBR version 1 (Cardwell et al., ACM Queue 2016), as Linux has it.
    case bbr
}

/// Why a stream ended before both sides finished.
public enum StreamResetReason: Hashable, Sendable {
    /// The peer's machine asked for it.
    case byPeer
    /// The peer's process died or never listened.
    case refused
    /// Nothing was heard for the medium's time limit.
    case timedOut
    /// The medium itself failed.
    case failed
}

/// What the medium measured about a stream's path.
public struct PathSample: Hashable, Sendable, BitwiseCopyable {
    /// Smoothed round-trip time.
    public var rtt: Interval
    /// Bytes acknowledged per second, recently.
    public var deliveryRate: BitRate
    /// Share of segments that had to be sent again, recently.
    public var loss: Ratio
    /// Bytes sent and not yet acknowledged.
    public var inFlight: ByteCount

    public init(rtt: Interval, deliveryRate: BitRate, loss: Ratio, inFlight: ByteCount) {
        self.rtt = rtt
        self.deliveryRate = deliveryRate
        self.loss = loss
        self.inFlight = inFlight
    }
}
