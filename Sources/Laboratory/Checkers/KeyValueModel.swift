/// A map from texts to texts with get, put, append, compare-and-swap, delete and scan.
///
/// Keys are independent of each other, so a history is searched key by key. A scan looks at several
/// keys at one point in time and ties them together: keys that scans share form a group, which is
/// searched as one. Operations on different keys of a group still commute, which the search uses
/// through footprints.
///
/// A model belongs to one history: it numbers that history's keys and texts.
public struct KeyValueModel: SequentialModel {
    private(set) var texts: [String] = []
    private var digests: [ValueDigest] = []
    private var powers: [ValueDigest.Power] = []
    private var scans: [Scan] = []
    /// For each text that is a key: its group, and its place in the group's states.
    private var groupOf: [Int32] = []
    private var placeOf: [Int32] = []
    private var groupSizes: [Int] = []
    private var numberOf: [ValueDigest: Int32] = [:]
    /// Texts that are keys, in the order of their bytes.
    private var keys: [Int32] = []
    let initial: ValueDigest

    /// What an answered scan says about each key in its reach.
    struct Scan: Hashable, Sendable {
        var keys: [Int32]
        /// The value of each key; absent for none.
        var values: [Int32]
        /// An answer that no store can give: keys outside of what was asked, twice, or too many.
        var isImpossible: Bool
    }

    public struct Operation: Hashable, Sendable {
        var kind: Kind
        /// Texts by number; `other` is what was read or expected, or of a scan its number.
        var key: Int32
        var value: Int32 = ClientHistory.absent
        var other: Int32 = ClientHistory.absent

        enum Kind: UInt8, Hashable, Sendable {
            case get, put, append, swapped, refused, swapUnknown, delete, deletedValue
            case deletedNothing, scan, unansweredRead
        }
    }

    /// The values of a group's keys; most groups have one key, which needs no array.
    public struct State: Hashable, Sendable {
        var first: ValueDigest
        var rest: [ValueDigest] = []

        /// Of many keys mostly one differs, and any of them can be it.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(first)
            for value in rest { hasher.combine(value) }
        }

        subscript(place: Int32) -> ValueDigest {
            get { place == 0 ? first : rest[Int(place) - 1] }
            set { if place == 0 { first = newValue } else { rest[Int(place) - 1] = newValue } }
        }
    }

    public struct Fact: Hashable, Sendable {
        var place: Int32
        var value: ValueDigest
    }

    /// The model of a history and its operations. Those that surely did not happen are left out, so
    /// `numbers` gives for each operation its number in the history.
    ///
    /// - Parameter initial: the value of every key at the beginning; `nil` for none.
    public static func prepare(
        _ history: ClientHistory,
        initial: String? = nil
    ) -> (model: KeyValueModel, operations: [ObservedOperation<Operation>], numbers: [Int]) {
        var model = KeyValueModel(history, initial: initial)
        var operations: [ObservedOperation<Operation>] = []
        var numbers: [Int] = []
        for number in 0..<history.count where history.outcome(of: number) != .failed {
            let isAnswered = history.outcome(of: number) == .answered
            operations.append(
                ObservedOperation(
                    process: Int(history.process(of: number)),
                    operation: model.operation(number, of: history, isAnswered: isAnswered),
                    called: history.callPosition(of: number),
                    returned: isAnswered ? history.endPosition(of: number) : nil
                )
            )
            numbers.append(number)
        }
        model.group(operations.map(\.operation))
        return (model, operations, numbers)
    }

    private init(_ history: ClientHistory, initial: String?) {
        self.initial = initial.map { ValueDigest($0) } ?? .absent
        // The texts keep the numbers that the history gave them.
        for text in history.texts { _ = add(text, ValueDigest(text)) }
        var found: Set<Int32> = []
        for number in 0..<history.count where history.outcome(of: number) != .failed {
            if history.keyNumber(of: number) >= 0 { found.insert(history.keyNumber(of: number)) }
            guard history.kind(of: number) == .scan else { continue }
            for entry in history.scan(of: number).entries ?? [] {
                found.insert(self.number(of: entry.key))
                _ = self.number(of: entry.value)
            }
        }
        keys = found.sorted { texts[Int($0)].utf8.lexicographicallyPrecedes(texts[Int($1)].utf8) }
    }

    private mutating func number(of text: String) -> Int32 {
        let digest = ValueDigest(text)
        return numberOf[digest] ?? add(text, digest)
    }

    private mutating func add(_ text: String, _ digest: ValueDigest) -> Int32 {
        let number = Int32(texts.count)
        texts.append(text)
        digests.append(digest)
        powers.append(ValueDigest.Power(length: text.utf8.count))
        numberOf[digest] = number
        return number
    }

    func digest(_ number: Int32) -> ValueDigest {
        number < 0 ? .absent : digests[Int(number)]
    }

    /// The number of the text with this digest; absent when no text of the history has it.
    func number(of value: ValueDigest) -> Int32 { numberOf[value] ?? ClientHistory.absent }

    func scanTexts(_ number: Int32) -> [(key: String, value: String?)] {
        let scan = scans[Int(number)]
        return zip(scan.keys, scan.values).map { (texts[Int($0)], text($1)) }
    }

    func text(_ number: Int32) -> String? { number < 0 ? nil : texts[Int(number)] }

    func place(of key: Int32) -> Int32 { placeOf[Int(key)] }

    func scanFacts(_ number: Int32) -> [Fact] {
        let scan = scans[Int(number)]
        return zip(scan.keys, scan.values).map {
            Fact(place: placeOf[Int($0)], value: digest($1))
        }
    }

    // MARK: - Steps

    public func initialState(of operations: [Operation]) -> State {
        let group = operations.lazy.compactMap { self.group(of: $0) }.first
        let size = group.map { groupSizes[$0] } ?? 1
        return State(first: initial, rest: Array(repeating: initial, count: max(0, size - 1)))
    }

    public func step(_ state: State, _ operation: Operation) -> State? {
        if operation.kind == .scan { return isPossible(operation, in: state) ? state : nil }
        if operation.kind == .unansweredRead { return state }
        let place = placeOf[Int(operation.key)]
        let current = state[place]
        switch operation.kind {
        case .get: return current == digest(operation.other) ? state : nil
        case .put: return replacing(state, place, digest(operation.value))
        case .append:
            let piece = Int(operation.value)
            return replacing(state, place, current.appending(digests[piece], powers[piece]))
        case .swapped, .refused, .swapUnknown:
            let isEqual = current == digest(operation.other)
            switch operation.kind {
            case .swapped where !isEqual: return nil
            case .refused: return isEqual ? nil : state
            default: return isEqual ? replacing(state, place, digest(operation.value)) : state
            }
        case .delete: return replacing(state, place, .absent)
        case .deletedValue: return current == .absent ? nil : replacing(state, place, .absent)
        case .deletedNothing: return current == .absent ? state : nil
        case .scan, .unansweredRead: return state
        }
    }

    private func replacing(_ state: State, _ place: Int32, _ value: ValueDigest) -> State {
        var state = state
        state[place] = value
        return state
    }

    private func isPossible(_ operation: Operation, in state: State) -> Bool {
        let scan = scans[Int(operation.other)]
        guard !scan.isImpossible else { return false }
        for (key, value) in zip(scan.keys, scan.values)
        where state[placeOf[Int(key)]] != digest(value) { return false }
        return true
    }

    public func unanswered(_ operation: Operation) -> Operation? {
        var open = operation
        switch operation.kind {
        case .get, .scan, .unansweredRead: return nil
        case .put: return operation
        case .append:
            return operation.value >= 0 && texts[Int(operation.value)].isEmpty ? nil : open
        case .swapped, .refused, .swapUnknown:
            guard operation.value != operation.other else { return nil }
            open.kind = .swapUnknown
        case .delete, .deletedValue, .deletedNothing: open.kind = .delete
        }
        return open
    }

    public func isReadOnly(_ operation: Operation) -> Bool {
        switch operation.kind {
        case .get, .refused, .deletedNothing, .scan, .unansweredRead: true
        case .swapped, .swapUnknown: operation.value == operation.other
        case .put, .append, .delete, .deletedValue: false
        }
    }

    public func footprint(_ operation: Operation) -> UInt64 {
        switch operation.kind {
        case .scan:
            scans[Int(operation.other)].keys.reduce(0) { $0 | bit(of: $1) }
        case .unansweredRead: 0
        case .get, .put, .append, .swapped, .refused, .swapUnknown, .delete, .deletedValue,
            .deletedNothing:
            bit(of: operation.key)
        }
    }

    private func bit(of key: Int32) -> UInt64 { 1 << UInt64(placeOf[Int(key)] & 63) }

    // MARK: - Parts

    public func partition(_ operations: [Operation]) -> [[Int]] {
        var parts: [[Int]] = []
        var partOf: [Int: Int] = [:]
        for (index, operation) in operations.enumerated() {
            guard let group = group(of: operation) else {
                parts.append([index])
                continue
            }
            if let known = partOf[group] {
                parts[known].append(index)
            } else {
                partOf[group] = parts.count
                parts.append([index])
            }
        }
        return parts
    }

    /// The group of keys that an operation touches; `nil` when it touches none.
    private func group(of operation: Operation) -> Int? {
        let key = operation.kind == .scan ? scans[Int(operation.other)].keys.first : operation.key
        guard let key, key >= 0 else { return nil }
        return Int(groupOf[Int(key)])
    }

    /// Joins keys that some scan looks at together.
    private mutating func group(_ operations: [Operation]) {
        var parent = texts.indices.map { $0 }
        func root(_ key: Int) -> Int {
            var key = key
            while parent[key] != key {
                parent[key] = parent[parent[key]]
                key = parent[key]
            }
            return key
        }
        var isKey = Array(repeating: false, count: texts.count)
        for operation in operations where operation.key >= 0 { isKey[Int(operation.key)] = true }
        for scan in scans {
            for key in scan.keys {
                isKey[Int(key)] = true
                parent[root(Int(key))] = root(Int(scan.keys[0]))
            }
        }
        groupOf = Array(repeating: -1, count: texts.count)
        placeOf = groupOf
        for key in texts.indices where isKey[key] {
            let root = root(key)
            if groupOf[root] < 0 {
                groupOf[root] = Int32(groupSizes.count)
                groupSizes.append(0)
            }
            let group = groupOf[root]
            groupOf[key] = group
            placeOf[key] = Int32(groupSizes[Int(group)])
            groupSizes[Int(group)] += 1
        }
    }

    // MARK: - From a history

    private mutating func operation(
        _ number: Int,
        of history: ClientHistory,
        isAnswered: Bool
    ) -> Operation {
        let key = history.keyNumber(of: number)
        let value = history.valueNumber(of: number)
        let answer = history.answerNumber(of: number)
        switch history.kind(of: number) {
        case .get:
            guard isAnswered else { return Operation(kind: .unansweredRead, key: key) }
            return Operation(kind: .get, key: key, other: answer)
        case .put: return Operation(kind: .put, key: key, value: value)
        case .append: return Operation(kind: .append, key: key, value: value)
        case .compareAndSwap:
            let kind: Operation.Kind =
                !isAnswered ? .swapUnknown : answer == 1 ? .swapped : .refused
            let expected = history.expectedNumber(of: number)
            return Operation(kind: kind, key: key, value: value, other: expected)
        case .delete:
            let kind: Operation.Kind =
                !isAnswered || answer < 0 ? .delete : answer == 1 ? .deletedValue : .deletedNothing
            return Operation(kind: kind, key: key)
        case .scan:
            let scan = history.scan(of: number)
            guard isAnswered, let entries = scan.entries else {
                return Operation(kind: .unansweredRead, key: ClientHistory.absent)
            }
            scans.append(self.scan(scan.range, entries))
            return Operation(
                kind: .scan,
                key: ClientHistory.absent,
                other: Int32(scans.count - 1)
            )
        }
    }

    /// What a scan's answer says about every key that it looked at.
    private mutating func scan(
        _ range: ClientHistory.Range,
        _ entries: [ClientHistory.Entry]
    ) -> Scan {
        var scan = Scan(keys: [], values: [], isImpossible: false)
        if let limit = range.limit, entries.count > limit { scan.isImpossible = true }
        for (index, entry) in entries.enumerated() {
            let isAscending =
                index == 0 || KeyValueModel.precedes(entries[index - 1].key, entry.key)
            let isInside =
                !KeyValueModel.precedes(entry.key, range.first)
                && (range.end.map { KeyValueModel.precedes(entry.key, $0) } ?? true)
            if !isAscending || !isInside { scan.isImpossible = true }
        }
        // A scan that its limit ended says nothing about what lies behind its last key.
        let isFull = range.limit.map { entries.count >= $0 } ?? false
        if isFull && entries.isEmpty { return scan }
        var position = 0
        for key in keys {
            let text = texts[Int(key)]
            if KeyValueModel.precedes(text, range.first) { continue }
            if let end = range.end, !KeyValueModel.precedes(text, end) { break }
            if isFull, let last = entries.last, KeyValueModel.precedes(last.key, text) { break }
            while position < entries.count, KeyValueModel.precedes(entries[position].key, text) {
                position += 1
            }
            let isThere = position < entries.count && entries[position].key == text
            scan.keys.append(key)
            scan.values.append(
                isThere ? number(of: entries[position].value) : ClientHistory.absent
            )
        }
        return scan
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
