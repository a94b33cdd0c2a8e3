public import Units

/// What clients of a key-value store asked, when, and what they heard: the raw material of every
/// check that looks at a store from the outside.
///
/// Rows are columns of numbers, and texts are kept once, so that a history costs about 60 bytes an
/// operation besides its texts. Operations are numbered in the order of their calls.
///
/// A *process* is one line of requests: it has at most one open operation. A client with several
/// requests under way has as many processes.
public struct ClientHistory: Sendable {
    private var processes: [Int32] = []
    private var kinds: [Kind] = []
    private var keys: [Int32] = []
    /// The value written, or of a scan its number in `ranges`.
    private var values: [Int32] = []
    private var expectations: [Int32] = []
    private var intendedTimes: [Int64] = []
    private var callTimes: [Int64] = []
    private var endTimes: [Int64] = []
    private var calls: [Int32] = []
    private var ends: [Int32] = []
    private var outcomes: [Outcome] = []
    /// The text read, or of a scan its number in `scanned`.
    private var answers: [Int32] = []
    private var ranges: [Range] = []
    private var scanned: [[Entry]] = []
    private var openOperations: [Int32: Int32] = [:]
    private var textNumbers: [String: Int32] = [:]
    public private(set) var texts: [String] = []
    /// Calls and returns so far.
    public private(set) var eventCount = 0

    /// The number that stands for "no text": a key without a value.
    public static let absent: Int32 = -1

    public enum Kind: UInt8, Sendable, CaseIterable {
        case get, put, append, compareAndSwap, delete, scan
    }

    /// What a client asked for.
    public enum Call: Hashable, Sendable {
        case get(key: String)
        case put(key: String, value: String)
        /// Adds to the end of what is there; to nothing where nothing is there.
        case append(key: String, value: String)
        /// `expected` is `nil` for "no value yet".
        case compareAndSwap(key: String, expected: String?, value: String)
        case delete(key: String)
        /// Keys in the order of their UTF-8 bytes from `first` on, below `end`, at most `limit`.
        case scan(first: String, end: String?, limit: Int?)
    }

    /// What a client heard.
    public enum Answer: Hashable, Sendable {
        /// Of put and append, and of delete when the store does not tell more.
        case done
        /// Of get; `nil` when the key has no value.
        case value(String?)
        case swapped(Bool)
        /// Whether the key had a value.
        case deleted(Bool)
        case entries([Entry])
    }

    public struct Entry: Hashable, Sendable {
        public var key: String
        public var value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public struct Range: Hashable, Sendable {
        public var first: String
        public var end: String?
        public var limit: Int?
    }

    /// How an operation ended.
    public enum Outcome: UInt8, Sendable {
        /// Nothing was heard until the history's end.
        case open
        case answered
        /// It is certain that nothing happened, for example because the request was refused.
        case failed
        /// The client gave up; it may have happened, or happen later, or never.
        case unknown
    }

    public init() {}

    public var count: Int { processes.count }
}

// MARK: - Recording

extension ClientHistory {
    /// A process calls.
    ///
    /// - Parameters:
    ///   - intended: when the call was due by the plan of an open-loop load; latency counts from
    ///     there, so that a client that is late hides nothing.
    /// - Returns: the number of the operation, by which its end is told.
    public mutating func invoke(
        process: Int32,
        _ call: Call,
        intended: Instant? = nil,
        at time: Instant
    ) -> Int {
        precondition(
            openOperations[process] == nil,
            "process \(process) calls while its operation \(openOperations[process] ?? -1) is open"
        )
        let number = count
        openOperations[process] = Int32(number)
        processes.append(process)
        intendedTimes.append((intended ?? time).nanoseconds)
        callTimes.append(time.nanoseconds)
        endTimes.append(.max)
        calls.append(Int32(eventCount))
        ends.append(-1)
        outcomes.append(.open)
        answers.append(ClientHistory.absent)
        eventCount += 1
        append(call)
        return number
    }

    /// The operation was answered; the answer has the shape that its call asks for.
    public mutating func answer(_ operation: Int, _ answer: Answer, at time: Instant) {
        precondition(
            ClientHistory.fits(answer, kinds[operation]),
            "operation \(operation), a \(kinds[operation]), was answered by \(answer)"
        )
        close(operation, .answered, at: time)
        switch answer {
        case .done: break
        case .value(let text): answers[operation] = number(of: text)
        case .swapped(let isTrue), .deleted(let isTrue): answers[operation] = isTrue ? 1 : 0
        case .entries(let entries):
            answers[operation] = Int32(scanned.count)
            scanned.append(entries)
        }
    }

    /// It is certain that the operation did not happen and never will.
    public mutating func fail(_ operation: Int, at time: Instant) {
        close(operation, .failed, at: time)
    }

    /// The client waits no longer; what became of the operation stays unknown.
    public mutating func giveUp(_ operation: Int, at time: Instant) {
        close(operation, .unknown, at: time)
    }

    /// The open operation of a process.
    public func openOperation(of process: Int32) -> Int? {
        openOperations[process].map(Int.init)
    }

    static func fits(_ answer: Answer, _ kind: Kind) -> Bool {
        switch (kind, answer) {
        case (.get, .value), (.put, .done), (.append, .done), (.compareAndSwap, .swapped),
            (.delete, .done), (.delete, .deleted), (.scan, .entries):
            true
        case (.get, _), (.put, _), (.append, _), (.compareAndSwap, _), (.delete, _), (.scan, _):
            false
        }
    }

    private mutating func close(_ operation: Int, _ outcome: Outcome, at time: Instant) {
        precondition(
            outcomes[operation] == .open,
            "operation \(operation) ended twice, first as \(outcomes[operation])"
        )
        outcomes[operation] = outcome
        endTimes[operation] = time.nanoseconds
        openOperations[processes[operation]] = nil
        ends[operation] = Int32(eventCount)
        eventCount += 1
    }

    private mutating func append(_ call: Call) {
        switch call {
        case .get(let key): append(.get, key)
        case .put(let key, let value): append(.put, key, value)
        case .append(let key, let value): append(.append, key, value)
        case .compareAndSwap(let key, let expected, let value):
            append(.compareAndSwap, key, value, expected)
        case .delete(let key): append(.delete, key)
        case .scan(let first, let end, let limit):
            kinds.append(.scan)
            keys.append(ClientHistory.absent)
            values.append(Int32(ranges.count))
            expectations.append(ClientHistory.absent)
            ranges.append(Range(first: first, end: end, limit: limit))
        }
    }

    private mutating func append(
        _ kind: Kind,
        _ key: String,
        _ value: String? = nil,
        _ expected: String? = nil
    ) {
        kinds.append(kind)
        keys.append(number(of: key))
        values.append(number(of: value))
        expectations.append(number(of: expected))
    }

    private mutating func number(of text: String?) -> Int32 {
        guard let text else { return ClientHistory.absent }
        if let known = textNumbers[text] { return known }
        let number = Int32(texts.count)
        textNumbers[text] = number
        texts.append(text)
        return number
    }
}

// MARK: - Reading

extension ClientHistory {
    public func process(of operation: Int) -> Int32 { processes[operation] }
    public func kind(of operation: Int) -> Kind { kinds[operation] }
    public func outcome(of operation: Int) -> Outcome { outcomes[operation] }
    /// When the call was due.
    public func intended(of operation: Int) -> Instant {
        Instant(nanoseconds: intendedTimes[operation])
    }
    public func called(_ operation: Int) -> Instant {
        Instant(nanoseconds: callTimes[operation])
    }
    /// When the operation was answered, refused or given up; `nil` while it is open.
    public func ended(_ operation: Int) -> Instant? {
        outcomes[operation] == .open ? nil : Instant(nanoseconds: endTimes[operation])
    }
    /// The position of the call among all calls and ends.
    public func callPosition(of operation: Int) -> Int { Int(calls[operation]) }
    /// The position of the end; `nil` while the operation is open.
    public func endPosition(of operation: Int) -> Int? {
        ends[operation] < 0 ? nil : Int(ends[operation])
    }
    /// The key's number in ``texts``; absent for scans.
    func keyNumber(of operation: Int) -> Int32 { keys[operation] }
    func valueNumber(of operation: Int) -> Int32 { values[operation] }
    func expectedNumber(of operation: Int) -> Int32 { expectations[operation] }
    func answerNumber(of operation: Int) -> Int32 { answers[operation] }
    /// What a scan asked for and, when it was answered, heard.
    func scan(of operation: Int) -> (range: Range, entries: [Entry]?) {
        let entries = answers[operation]
        return (
            ranges[Int(values[operation])], entries < 0 ? nil : scanned[Int(entries)]
        )
    }

    public func call(of operation: Int) -> Call {
        let key = text(keys[operation]) ?? ""
        let value = kinds[operation] == .scan ? "" : text(values[operation]) ?? ""
        switch kinds[operation] {
        case .get: return .get(key: key)
        case .put: return .put(key: key, value: value)
        case .append: return .append(key: key, value: value)
        case .compareAndSwap:
            let expected = text(expectations[operation])
            return .compareAndSwap(key: key, expected: expected, value: value)
        case .delete: return .delete(key: key)
        case .scan:
            let range = ranges[Int(values[operation])]
            return .scan(first: range.first, end: range.end, limit: range.limit)
        }
    }

    /// The answer; `nil` unless the operation was answered.
    public func answer(of operation: Int) -> Answer? {
        guard outcomes[operation] == .answered else { return nil }
        let answer = answers[operation]
        switch kinds[operation] {
        case .get: return .value(text(answer))
        case .put, .append: return .done
        case .compareAndSwap: return .swapped(answer == 1)
        case .delete: return answer < 0 ? .done : .deleted(answer == 1)
        case .scan: return .entries(scanned[Int(answer)])
        }
    }

    private func text(_ number: Int32) -> String? {
        number < 0 ? nil : texts[Int(number)]
    }

    /// All calls and ends in order: the operation, and whether it ends.
    public var events: [(operation: Int, isEnd: Bool)] {
        var result = Array(repeating: (operation: 0, isEnd: false), count: eventCount)
        for operation in 0..<count {
            result[Int(calls[operation])] = (operation, false)
            if ends[operation] >= 0 { result[Int(ends[operation])] = (operation, true) }
        }
        return result
    }

    /// One history from several that were recorded on one clock.
    ///
    /// Events of different histories at the same instant count as concurrent where that is
    /// possible: calls come before ends.
    public static func merged(
        _ histories: [ClientHistory]
    ) throws(HistoryError) -> ClientHistory {
        var owner: [Int32: Int] = [:]
        for (index, history) in histories.enumerated() {
            for process in history.processes {
                guard owner[process, default: index] == index else {
                    throw .sharedProcess(process)
                }
                owner[process] = index
            }
        }
        var result = ClientHistory()
        let events = histories.map(\.events)
        var numbers = histories.map { Array(repeating: 0, count: $0.count) }
        var heads = Array(repeating: 0, count: histories.count)
        func time(_ history: Int) -> Int64 {
            let event = events[history][heads[history]]
            return event.isEnd
                ? histories[history].endTimes[event.operation]
                : histories[history].callTimes[event.operation]
        }
        while true {
            var best: (time: Int64, isEnd: Bool, history: Int)?
            for index in histories.indices where heads[index] < events[index].count {
                let key = (time(index), events[index][heads[index]].isEnd)
                if let found = best, (found.time, found.isEnd ? 1 : 0) <= (key.0, key.1 ? 1 : 0) {
                    continue
                }
                best = (key.0, key.1, index)
            }
            guard let (nanoseconds, isEnd, index) = best else { return result }
            let operation = events[index][heads[index]].operation
            heads[index] += 1
            let source = histories[index]
            let time = Instant(nanoseconds: nanoseconds)
            if isEnd {
                result.end(numbers[index][operation], like: operation, of: source, at: time)
            } else {
                numbers[index][operation] = result.invoke(
                    process: source.process(of: operation),
                    source.call(of: operation),
                    intended: source.intended(of: operation),
                    at: time
                )
            }
        }
    }

    private mutating func end(
        _ number: Int,
        like operation: Int,
        of source: ClientHistory,
        at time: Instant
    ) {
        switch source.outcomes[operation] {
        case .open: break
        case .failed: fail(number, at: time)
        case .unknown: giveUp(number, at: time)
        case .answered:
            if let answer = source.answer(of: operation) { self.answer(number, answer, at: time) }
        }
    }
}
