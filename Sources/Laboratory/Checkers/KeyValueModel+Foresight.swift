extension KeyValueModel {
    public func fact(of state: State, at operation: Operation) -> Fact? {
        guard operation.key >= 0 else { return nil }
        let place = place(of: operation.key)
        return Fact(place: place, value: state[place])
    }

    /// Reads demand what they returned, successful swaps what they expected. Writes supply their
    /// value; an append supplies every demanded value that ends with its piece.
    ///
    /// Where only one operation can supply a demanded value, it must happen in the one state that it
    /// makes that value of. That state is demanded, too, and so on backwards: where pieces are distinct,
    /// a value that was read tells the order of the appends that led to it.
    public func foresight(_ operations: [Operation], counts: [Int]) -> Foresight<Fact> {
        var foresight = Foresight<Fact>(count: operations.count)
        var open: [Demanded] = []
        for (index, operation) in operations.enumerated() {
            for fact in demands(of: operation) where foresight.demand(fact, by: index) {
                open.append(Demanded(fact, self))
            }
        }
        let suppliers = Suppliers(operations, self)
        var viable = noteMentioned(by: operations, in: &foresight)
        while let demanded = open.popLast() {
            let (exact, appending) = suppliers.of(demanded, self)
            for index in exact + appending { foresight.supply(demanded.fact, by: index) }
            guard exact.count + appending.count == 1, demanded.fact.value != initial,
                let index = exact.first ?? appending.first, counts[index] == 1
            else { continue }
            let operation = operations[index]
            if operation.kind == .swapUnknown {
                let expected = expectation(of: operation)
                if foresight.demand(expected, by: index) { open.append(Demanded(expected, self)) }
            } else if operation.kind == .append,
                let before = demanded.before(operation.value, self),
                foresight.demand(before.fact, by: index)
            {
                open.append(before)
            }
        }
        while let value = viable.popLast() {
            for index in suppliers.of(value, self).appending {
                guard let before = value.before(operations[index].value, self) else { continue }
                if foresight.note(viable: before.fact) { viable.append(before) }
            }
        }
        return foresight
    }

    /// Everything that an answer or a swap compares a value with.
    private func noteMentioned(
        by operations: [Operation],
        in foresight: inout Foresight<Fact>
    ) -> [Demanded] {
        var found: [Demanded] = []
        for operation in operations {
            let isSwap = operation.kind == .refused || operation.kind == .swapUnknown
            for fact in demands(of: operation) + (isSwap ? [expectation(of: operation)] : [])
            where foresight.note(viable: fact) {
                found.append(Demanded(fact, self))
            }
        }
        return found
    }

    /// A text that is no beginning of anything mentioned, made of the pieces that are appended, stays
    /// without meaning until it is overwritten; all such texts are one.
    public func collapsed(
        _ state: State,
        at operation: Operation,
        _ foresight: Foresight<Fact>
    ) -> State {
        guard operation.key >= 0 else { return state }
        let place = place(of: operation.key)
        let value = state[place]
        guard value.length > 0, !foresight.viable.contains(Fact(place: place, value: value)) else {
            return state
        }
        var collapsed = state
        collapsed[place] = .lost
        return collapsed
    }

    /// Values that are written and that no answer and no swap mentions are all the same to everybody,
    /// on keys that nothing is appended to.
    public func simplified(_ operations: [Operation]) -> [Operation] {
        var mentioned: Set<Fact> = []
        var appended: Set<Int32> = []
        for operation in operations {
            if operation.kind == .append { appended.insert(place(of: operation.key)) }
            for fact in demands(of: operation) { mentioned.insert(fact) }
            if operation.kind == .refused || operation.kind == .swapUnknown {
                mentioned.insert(expectation(of: operation))
            }
        }
        var common: [Int32: Int32] = [:]
        return operations.map { operation in
            guard operation.value >= 0, operation.kind != .append else { return operation }
            let place = place(of: operation.key)
            guard !appended.contains(place), !mentioned.contains(written(by: operation)) else {
                return operation
            }
            var simple = operation
            simple.value = common[place, default: operation.value]
            common[place] = simple.value
            return simple
        }
    }

    /// The facts without which an answer is not possible.
    private func demands(of operation: Operation) -> [Fact] {
        switch operation.kind {
        case .get, .swapped:
            [Fact(place: place(of: operation.key), value: digest(operation.other))]
        case .deletedNothing: [Fact(place: place(of: operation.key), value: .absent)]
        case .scan: scanFacts(operation.other)
        case .put, .append, .refused, .swapUnknown, .delete, .deletedValue, .unansweredRead: []
        }
    }

    func written(by operation: Operation) -> Fact {
        Fact(place: place(of: operation.key), value: digest(operation.value))
    }

    func textOf(_ value: ValueDigest) -> String? { text(number(of: value)) }

    // MARK: - Unobserved operations

    /// As in a register, key by key (see ``Evidence``), with two additions. A value that a put left
    /// is also seen in what appends made of it, and a piece that an append added is seen in every
    /// value that contains it: where a key is appended to, an operation is left out only when
    /// no value that was seen after its call contains its text. And what a delete leaves cannot be
    /// told from the values seen later where appends follow, so there deletes stay.
    public func unobserved(_ part: [ObservedOperation<Operation>]) -> [Int] {
        let pending = part.indices.filter { part[$0].returned == nil }
        guard !pending.isEmpty else { return [] }
        var evidence = Evidence<Fact>()
        var appended: Set<Int32> = []
        var seen: [(fact: Fact, end: Int)] = []
        for observed in part {
            let operation = observed.operation
            if operation.kind == .append { appended.insert(place(of: operation.key)) }
            guard let end = observed.returned else {
                // An open swap may see what it expects at any time.
                if operation.kind == .swapUnknown {
                    seen.append((expectation(of: operation), .max))
                }
                continue
            }
            for fact in demands(of: operation) {
                evidence.see(fact, until: end)
                seen.append((fact, end))
            }
            if operation.kind == .refused || operation.kind == .deletedValue {
                evidence.seeDifference(of: place(of: operation.key), until: end)
            }
        }
        noteParts(of: seen.filter { appended.contains($0.fact.place) }, part, pending, &evidence)
        return evidence.unobserved(
            pending.compactMap { index in
                let observed = part[index]
                let operation = observed.operation
                guard operation.kind != .unansweredRead else { return nil }
                let place = place(of: operation.key)
                let isDelete = operation.kind == .delete
                if isDelete, appended.contains(place) { return nil }
                return Evidence<Fact>.Pending(
                    index: index,
                    called: observed.called,
                    object: place,
                    leaves: isDelete ? Fact(place: place, value: .absent) : written(by: operation),
                    expects: operation.kind == .swapUnknown ? expectation(of: operation) : nil
                )
            }
        )
    }

    private func expectation(of operation: Operation) -> Fact {
        Fact(place: place(of: operation.key), value: digest(operation.other))
    }

    /// Marks every pending text that is part of a value that was seen.
    private func noteParts(
        of seen: [(fact: Fact, end: Int)],
        _ part: [ObservedOperation<Operation>],
        _ pending: [Int],
        _ evidence: inout Evidence<Fact>
    ) {
        guard !seen.isEmpty else { return }
        var last: [Fact: Int] = [:]
        for (fact, end) in seen { last[fact] = max(last[fact] ?? -1, end) }
        var wanted: Set<Fact> = []
        for index in pending where part[index].operation.value >= 0 {
            wanted.insert(written(by: part[index].operation))
        }
        let lengths = Set(wanted.map { Int($0.value.length) }).sorted()
        let powers = lengths.map { ValueDigest.Power(length: $0) }
        for (fact, end) in last {
            guard let text = textOf(fact.value) else { continue }
            let digests = PartDigests(text)
            for (length, power) in zip(lengths, powers) where length <= digests.length {
                for start in 0...(digests.length - length) {
                    let value = digests.part(from: start, length: length, power)
                    let piece = Fact(place: fact.place, value: value)
                    if wanted.contains(piece) { evidence.see(piece, until: end) }
                }
            }
        }
    }

    // MARK: - Words

    public func describe(_ operation: Operation) -> String {
        let key = text(operation.key).map { KeyValueModel.short($0) } ?? ""
        let value = text(operation.value).map { KeyValueModel.quoted($0) } ?? "nothing"
        let other =
            operation.kind == .scan
            ? "" : text(operation.other).map { KeyValueModel.quoted($0) } ?? "nothing"
        return switch operation.kind {
        case .get: "get \(key) → \(other)"
        case .put: "put \(key) \(value)"
        case .append: "append \(key) \(value)"
        case .swapped: "cas \(key) \(other)→\(value)"
        case .refused: "cas \(key) \(other)→\(value) refused"
        case .swapUnknown: "cas \(key) \(other)→\(value)?"
        case .delete: "delete \(key)"
        case .deletedValue: "delete \(key) → there was one"
        case .deletedNothing: "delete \(key) → there was none"
        case .scan: "scan → \(describeScan(operation.other))"
        case .unansweredRead: "read \(key)?"
        }
    }

    private func describeScan(_ number: Int32) -> String {
        let found = scanTexts(number).filter { $0.value != nil }
        let shown = found.prefix(3).map {
            "\(KeyValueModel.short($0.key))=\(KeyValueModel.quoted($0.value ?? ""))"
        }
        let more = found.count > 3 ? ", … \(found.count) entries" : ""
        return shown.isEmpty ? "nothing" : shown.joined(separator: ", ") + more
    }

    public func describe(_ state: State) -> String {
        let values = [state.first] + state.rest
        let shown = values.prefix(6).map { value in
            value == .absent
                ? "nothing"
                : textOf(value).map { KeyValueModel.quoted($0) } ?? "\(value.length) bytes"
        }
        return shown.joined(separator: ", ") + (values.count > 6 ? ", …" : "")
    }

    private static let shownLength = 14

    private static func quoted(_ text: String) -> String { "“\(short(text))”" }

    /// The end of a text tells more than its beginning where values grow by appending.
    private static func short(_ text: String) -> String {
        text.count <= shownLength ? text : "…" + text.suffix(shownLength - 1)
    }
}

/// A fact that somebody demands: a beginning of one of the history's texts, or no value.
private struct Demanded {
    var fact: KeyValueModel.Fact
    /// The text, and how many of its bytes the value has; absent for a value without a text.
    var text: Int32
    var length: Int

    init(_ fact: KeyValueModel.Fact, _ model: KeyValueModel) {
        self.fact = fact
        text = model.number(of: fact.value)
        length = Int(max(0, fact.value.length))
    }

    /// The value to which appending a piece gives this one; `nil` when that is all of it, because
    /// nothing and an empty value lead to the same.
    func before(_ piece: Int32, _ model: KeyValueModel) -> Demanded? {
        let digest = model.digest(piece)
        guard digest.length > 0, Int(digest.length) < length else { return nil }
        var before = self
        before.length -= Int(digest.length)
        before.fact.value = fact.value.removing(ending: digest)
        return before
    }
}

/// Which operations leave which value.
private struct Suppliers {
    private var exact: [KeyValueModel.Fact: [Int]] = [:]
    private var appending: [KeyValueModel.Fact: [Int]] = [:]
    private var lengths: [Int] = []

    init(_ operations: [KeyValueModel.Operation], _ model: KeyValueModel) {
        var found: Set<Int> = []
        for (index, operation) in operations.enumerated() {
            switch operation.kind {
            case .put, .swapped, .swapUnknown:
                let isChange = operation.kind == .put || operation.value != operation.other
                guard isChange else { continue }
                exact[model.written(by: operation), default: []].append(index)
            case .delete, .deletedValue:
                let place = model.place(of: operation.key)
                let fact = KeyValueModel.Fact(place: place, value: .absent)
                exact[fact, default: []].append(index)
            case .append:
                let piece = model.written(by: operation)
                found.insert(Int(piece.value.length))
                appending[piece, default: []].append(index)
            case .get, .refused, .deletedNothing, .scan, .unansweredRead: break
            }
        }
        lengths = found.sorted()
    }

    func of(_ demanded: Demanded, _ model: KeyValueModel) -> (exact: [Int], appending: [Int]) {
        let exact = exact[demanded.fact] ?? []
        guard !lengths.isEmpty, demanded.text >= 0, let text = model.text(demanded.text) else {
            return (exact, [])
        }
        var found: [Int] = []
        let bytes = text.utf8
        let end = bytes.index(bytes.startIndex, offsetBy: demanded.length)
        for length in lengths where length <= demanded.length {
            // An empty piece makes a value only of nothing.
            guard length > 0 || demanded.length == 0 else { continue }
            let start = bytes.index(end, offsetBy: -length)
            let piece = KeyValueModel.Fact(
                place: demanded.fact.place,
                value: ValueDigest(bytes: bytes[start..<end])
            )
            found += appending[piece] ?? []
        }
        return (exact, found)
    }
}
