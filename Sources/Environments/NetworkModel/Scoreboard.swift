import LinkModel
import Units

/// The segments sent and not yet acknowledged, with what is known about each, and the order in
/// which they were last sent (RFC 6675's scoreboard, RFC 8985's transmission order).
struct Scoreboard {
    /// One segment, as it was cut when first sent.
    struct Segment: BitwiseCopyable {
        var start: Int64
        var sentAt: Instant
        /// What had been delivered when it was last sent; of senders that measure it.
        var mark: DeliveryRate.Mark
        var flags: Flags
        /// Sequence numbers taken; a FIN takes one.
        var length: UInt16
        /// Neighbours in order of sending: segment numbers without their top bits.
        var next = Scoreboard.nobody
        var previous = Scoreboard.nobody
        /// Counts transmissions, so that those of one instant have an order too; wraps.
        var serial: UInt32 = 0

        /// Whether this was last sent after the transmission `other`.
        func isSent(after other: UInt32) -> Bool { Int32(bitPattern: serial &- other) > 0 }

        var end: Int64 { start + Int64(length) }
    }

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// The receiver holds it.
        static let sacked = Flags(rawValue: 1)
        /// Deemed lost.
        static let lost = Flags(rawValue: 2)
        /// Sent again, and that copy not deemed lost.
        static let retransmitted = Flags(rawValue: 4)
        /// Was sent more than once: its acknowledgement is ambiguous (Karn).
        static let everRetransmitted = Flags(rawValue: 8)
        static let fin = Flags(rawValue: 16)
        /// In the list ordered by sending.
        static let listed = Flags(rawValue: 32)
    }

    private static let nobody = UInt32.max

    private var segments = Ring(
        filler: Segment(
            start: 0,
            sentAt: .zero,
            mark: DeliveryRate.Mark(),
            flags: [],
            length: 0
        )
    )
    private(set) var sackedOut = 0
    private(set) var lostOut = 0
    private(set) var retransmittedOut = 0
    /// Transmissions ever deemed lost.
    private(set) var lostInAll: Int64 = 0
    private var oldest = Scoreboard.nobody
    private var latest = Scoreboard.nobody
    private var transmissions: UInt32 = 0
    /// No segment before this number waits for retransmission.
    private var lostHint = 0

    var isEmpty: Bool { segments.isEmpty }
    var packetsOut: Int { segments.count }
    /// RFC 6675's pipe, in segments.
    var inFlight: Int { segments.count &- (sackedOut &+ lostOut) &+ retransmittedOut }
    var first: Segment { segments[segments.start] }
    var firstNumber: Int { segments.start }
    var lastNumber: Int { segments.end - 1 }

    subscript(number: Int) -> Segment { segments[number] }

    @inline(__always)
    mutating func append(
        start: Int64,
        length: Int,
        isFin: Bool,
        mark: DeliveryRate.Mark,
        at now: Instant
    ) {
        let number = segments.end
        segments.append(
            Segment(
                start: start,
                sentAt: now,
                mark: mark,
                flags: isFin ? [.fin] : [],
                length: UInt16(length)
            )
        )
        list(number)
    }

    /// Removes the first segment; whoever calls looked at it before.
    @inline(__always)
    mutating func removeFirst() {
        let number = segments.start
        let flags = segments[number].flags
        if flags.contains(.sacked) { sackedOut &-= 1 }
        if flags.contains(.lost) { lostOut &-= 1 }
        if flags.contains(.retransmitted) { retransmittedOut &-= 1 }
        if flags.contains(.listed) { unlist(number) }
        segments.removeFirst()
    }

    /// The segment that begins at or after `offset`; `segments.end` when there is none.
    func number(startingAtOrAfter offset: Int64) -> Int {
        var low = segments.start
        var high = segments.end
        while low < high {
            let middle = (low + high) >> 1
            if segments[middle].start < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    var endNumber: Int { segments.end }

    mutating func markSacked(_ number: Int) {
        let flags = segments[number].flags
        if flags.contains(.lost) { lostOut -= 1 }
        if flags.contains(.retransmitted) { retransmittedOut -= 1 }
        if flags.contains(.listed) { unlist(number) }
        segments[number].flags.subtract([.lost, .retransmitted])
        segments[number].flags.insert(.sacked)
        sackedOut += 1
    }

    mutating func markRetransmitted(_ number: Int, mark: DeliveryRate.Mark, at now: Instant) {
        if !segments[number].flags.contains(.retransmitted) { retransmittedOut += 1 }
        segments[number].flags.formUnion([.retransmitted, .everRetransmitted])
        segments[number].sentAt = now
        segments[number].mark = mark
        if segments[number].flags.contains(.listed) { unlist(number) }
        list(number)
    }

    /// Marks a segment, or its retransmission, as lost; `true` when it was a retransmission.
    @discardableResult
    private mutating func markLost(_ number: Int) -> Bool {
        if segments[number].flags.contains(.listed) { unlist(number) }
        let wasRetransmitted = segments[number].flags.contains(.retransmitted)
        if wasRetransmitted {
            retransmittedOut -= 1
            segments[number].flags.remove(.retransmitted)
        }
        if !segments[number].flags.contains(.lost) {
            lostOut += 1
            lostInAll += 1
            segments[number].flags.insert(.lost)
        } else if wasRetransmitted {
            lostInAll += 1
        }
        lostHint = min(lostHint, number)
        return wasRetransmitted
    }

    /// What RACK found (RFC 8985, section 6.2, step 5).
    struct Detection {
        var marked = 0
        var lostRetransmission = false
        /// How long until the last suspect counts as lost; zero without suspects.
        var remaining = Interval.zero
    }

    /// Marks what was sent long enough before the latest delivered segment.
    mutating func detectLosses(
        sentBefore serial: UInt32,
        patience: Interval,
        at now: Instant
    ) -> Detection {
        var detection = Detection()
        var link = oldest
        while link != Scoreboard.nobody {
            let number = Int(link)
            let segment = segments[number]
            if !(Int32(bitPattern: serial &- segment.serial) > 0) { break }
            link = segment.next
            let remaining = segment.sentAt + patience - now
            if remaining <= .zero {
                // Links carry truncated numbers; the ring only looks at their low bits.
                if markLost(absolute(number)) { detection.lostRetransmission = true }
                detection.marked += 1
            } else {
                detection.remaining = max(detection.remaining, remaining)
            }
        }
        return detection
    }

    /// After a time-out everything unacknowledged is lost, except what was sent within `patience`.
    mutating func markLostAfterTimeout(patience: Interval, at now: Instant) {
        for number in segments.start..<segments.end {
            let segment = segments[number]
            if segment.flags.contains(.sacked) { continue }
            if number != segments.start, segment.sentAt + patience > now { continue }
            markLost(number)
        }
    }

    /// Takes back all loss marks after a spurious time-out.
    mutating func clearLost() {
        for number in segments.start..<segments.end
        where segments[number].flags.contains(.lost) {
            segments[number].flags.remove(.lost)
            lostOut -= 1
            if !segments[number].flags.contains(.listed) { list(number) }
        }
    }

    /// The first lost segment that waits to be sent again.
    mutating func nextLost() -> Int? {
        if lostOut <= retransmittedOut { return nil }
        var number = max(lostHint, segments.start)
        while number < segments.end {
            let flags = segments[number].flags
            if flags.contains(.lost), !flags.contains(.retransmitted) {
                lostHint = number
                return number
            }
            number += 1
        }
        lostHint = number
        return nil
    }

    // MARK: - Order of sending

    private func absolute(_ truncated: Int) -> Int {
        segments.start + ((truncated &- segments.start) & 0x7fff_ffff)
    }

    @inline(__always)
    private mutating func list(_ number: Int) {
        let link = UInt32(number & 0x7fff_ffff)
        segments[number].previous = latest
        segments[number].next = Scoreboard.nobody
        segments[number].flags.insert(.listed)
        segments[number].serial = transmissions
        transmissions &+= 1
        if latest == Scoreboard.nobody {
            oldest = link
        } else {
            segments[Int(latest)].next = link
        }
        latest = link
    }

    @inline(__always)
    private mutating func unlist(_ number: Int) {
        let next = segments[number].next
        let previous = segments[number].previous
        if next == Scoreboard.nobody {
            latest = previous
        } else {
            segments[Int(next)].previous = previous
        }
        if previous == Scoreboard.nobody {
            oldest = next
        } else {
            segments[Int(previous)].next = next
        }
        segments[number].flags.remove(.listed)
    }
}
