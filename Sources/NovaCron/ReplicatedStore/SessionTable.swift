import Machines
import Raft
import Units

/// Client sessions, the same on every replica: part of the replicated state (Ongaro, dissertation,
/// section 6.3).
///
/// A session's name is the index of the entry that opened it. It remembers the results of updates that
/// its client has not acknowledged, at most `window` of them. When the table is full, the session whose
/// last use lies furthest back in the log makes room: a decision that every replica takes alike.
struct SessionTable: Hashable, Sendable {
    let limit: Int
    let window: UInt64
    /// In order of their names.
    private(set) var sessions: [Session] = []

    struct Session: Hashable, Sendable {
        let name: UInt64
        var lastUse: LogIndex
        /// Sequences up to here were answered and will not be repeated.
        var answered: UInt64 = 0
        /// Results of later ones, in order of their sequence.
        var results: [Remembered] = []

        mutating func use(sequence: UInt64, answered newly: UInt64, at index: LogIndex) {
            lastUse = index
            guard newly > answered, newly < sequence else { return }
            answered = newly
            // As a rule a client acknowledges one after the other.
            if results.count == 1, results[0].sequence <= newly {
                results.removeLast()
            } else if !results.isEmpty {
                results.removeAll { $0.sequence <= newly }
            }
        }

        mutating func remember(_ result: Remembered) {
            if results.isEmpty {
                results.append(result)
                return
            }
            results.removeAll { $0.sequence == result.sequence }
            let position =
                results.firstIndex { $0.sequence > result.sequence } ?? results.count
            results.insert(result, at: position)
        }
    }

    struct Remembered: Hashable, Sendable {
        let sequence: UInt64
        /// Of the entry that was executed.
        let term: Term
        let result: StoreResult
    }

    enum Lookup {
        case fresh(place: Int)
        case known(place: Int, Remembered)
        case noSession
        case stale
    }

    init(limit: Int, window: UInt64) {
        self.limit = limit
        self.window = window
    }

    mutating func open(_ name: UInt64) {
        if sessions.count >= limit {
            var oldest = 0
            for place in sessions.indices
            where sessions[place].lastUse < sessions[oldest].lastUse { oldest = place }
            sessions.remove(at: oldest)
        }
        // Names are log indices, so a new one is the largest.
        sessions.append(Session(name: name, lastUse: name))
    }

    /// Finds what is known of an update and notes that the session was used.
    mutating func look(
        up name: UInt64,
        sequence: UInt64,
        answered: UInt64,
        at index: LogIndex
    ) -> Lookup {
        guard let place = place(of: name) else { return .noSession }
        sessions[place].use(sequence: sequence, answered: answered, at: index)
        if let known = sessions[place].results.first(where: { $0.sequence == sequence }) {
            return .known(place: place, known)
        }
        let first = sessions[place].answered
        guard sequence > first, sequence - first <= window else { return .stale }
        return .fresh(place: place)
    }

    mutating func remember(_ result: Remembered, at place: Int) {
        sessions[place].remember(result)
    }

    private func place(of name: UInt64) -> Int? {
        var low = 0
        var high = sessions.count
        while low < high {
            let middle = (low + high) / 2
            if sessions[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low < sessions.count && sessions[low].name == name ? low : nil
    }
}

extension SessionTable {
    func encode(into writer: inout WireWriter) {
        writer.write(UInt32(sessions.count))
        for session in sessions {
            writer.write(session.name)
            writer.write(session.lastUse)
            writer.write(session.answered)
            writer.write(UInt16(session.results.count))
            for known in session.results {
                writer.write(known.sequence)
                writer.write(known.term)
                known.result.encode(into: &writer)
            }
        }
    }

    init(limit: Int, window: UInt64, from reader: inout WireReader) throws(WireError) {
        self.init(limit: limit, window: window)
        let count = Int(try reader.read(UInt32.self))
        guard count <= limit else { throw .tooLarge(length: count, limit: limit) }
        for _ in 0..<count {
            let name = try reader.read(UInt64.self)
            if let last = sessions.last, last.name >= name {
                throw .malformed("sessions are not in order")
            }
            var session = Session(name: name, lastUse: try reader.read())
            session.answered = try reader.read()
            let results = Int(try reader.read(UInt16.self))
            guard results <= Int(clamping: window) else {
                throw .tooLarge(length: results, limit: Int(clamping: window))
            }
            for _ in 0..<results {
                let sequence = try reader.read(UInt64.self)
                let term = try reader.read(Term.self)
                session.results.append(
                    Remembered(
                        sequence: sequence,
                        term: term,
                        result: try StoreResult(from: &reader)
                    )
                )
            }
            sessions.append(session)
        }
    }
}
