import Determinism
public import Machines
import Units

/// The number of a leader's reign; at most one leader in each.
public typealias Term = UInt64

/// A place in the log; the first entry has index 1.
public typealias LogIndex = UInt64

/// One entry of the replicated log.
public struct LogEntry: Hashable, Sendable {
    /// The longest command, in bytes.
    public static let commandLimit = 1 << 20

    public var term: Term
    public var content: Content

    public enum Content: Hashable, Sendable {
        /// What a new leader appends to commit what came before it.
        case nothing
        /// Bytes for the state machine.
        case command(Bytes)
        /// A command as a witness holds it: by its digest alone.
        case withheld(digest: UInt64)
        case membership(Membership)

        public static func == (left: Content, right: Content) -> Bool {
            switch (left, right) {
            case (.command(let left), .command(let right)): left.isSame(as: right)
            case (.nothing, .nothing): true
            case (.withheld(let left), .withheld(let right)): left == right
            case (.membership(let left), .membership(let right)): left == right
            case (.nothing, _), (.command, _), (.withheld, _), (.membership, _): false
            }
        }
    }

    public init(term: Term, _ content: Content) {
        self.term = term
        self.content = content
    }

    /// Bytes that the entry counts in limits of messages: its command and a constant.
    public var size: Int {
        switch content {
        case .nothing: 16
        case .withheld: 24
        case .command(let bytes): 16 + bytes.count
        case .membership(let membership): 16 + 4 * membership.members.count
        }
    }

    /// The entry as a witness is sent it.
    var withholdingCommand: LogEntry {
        guard case .command = content else { return self }
        return LogEntry(term: term, .withheld(digest: digest))
    }

    var isWithheld: Bool {
        if case .withheld = content { true } else { false }
    }

    /// What checkers compare: equal entries have equal digests on every node, witnesses too.
    public var digest: UInt64 {
        if case .withheld(let digest) = content { return digest }
        var chain = HashChain(key: term)
        switch content {
        case .nothing: chain.combine(0 as UInt64)
        case .command(let bytes):
            chain.combine(1 as UInt64)
            chain.combine(bytes: bytes)
        case .withheld: break
        case .membership(let membership):
            chain.combine(2 as UInt64)
            let groups = [
                membership.voters, membership.outgoing, membership.learners, membership.witnesses,
            ]
            for group in groups {
                chain.combine(UInt64(group.count))
                for node in group { chain.combine(UInt64(node.rawValue)) }
            }
        }
        return chain.fingerprint.low
    }
}

extension LogEntry {
    public func encode(into writer: inout WireWriter) {
        writer.write(term)
        switch content {
        case .nothing: writer.write(UInt8(0))
        case .command(let bytes):
            writer.write(UInt8(1))
            writer.write(lengthPrefixed: bytes)
        case .membership(let membership):
            writer.write(UInt8(2))
            membership.encode(into: &writer)
        case .withheld(let digest):
            writer.write(UInt8(3))
            writer.write(digest)
        }
    }

    /// Reads one entry and leaves the reader behind it.
    public init(from reader: inout WireReader) throws(WireError) {
        term = try reader.read()
        switch try reader.read(UInt8.self) {
        case 0: content = .nothing
        case 1: content = .command(try reader.readLengthPrefixed(limit: LogEntry.commandLimit))
        case 2: content = .membership(try Membership(from: &reader))
        case 3: content = .withheld(digest: try reader.read())
        case let kind: throw .malformed("a log entry of unknown kind \(kind)")
        }
    }

    static func encode(_ entries: [LogEntry], into writer: inout WireWriter) {
        writer.write(UInt32(entries.count))
        // By place: an entry would be copied.
        for place in entries.indices { entries[place].encode(into: &writer) }
    }

    static func decodeList(from reader: inout WireReader) throws(WireError) -> [LogEntry] {
        let count = Int(try reader.read(UInt32.self))
        // An entry takes nine bytes at least, so a false count cannot reserve more than came.
        guard count <= reader.remaining / 9 else {
            throw .truncated(needed: count * 9, available: reader.remaining)
        }
        var entries: [LogEntry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count { entries.append(try LogEntry(from: &reader)) }
        return entries
    }
}
