extension KeyValueModel {
    public func fact(of state: State, at operation: Operation) -> Fact? {
        guard operation.key >= 0 else { return nil }
        let place = place(of: operation.key)
        return Fact(place: place, value: state[place])
    }

    /// Reads demand what they returned, successful swaps what they expected. Writes supply their
    /// value; an append supplies every demanded value that ends with its piece.
    public func foresight(_ operations: [Operation]) -> Foresight<Fact> {
        var foresight = Foresight<Fact>(count: operations.count)
        for (index, operation) in operations.enumerated() {
            for fact in demands(of: operation) { foresight.demand(fact, by: index) }
        }
        let endings = Endings(of: foresight.numbers.keys, operations, self)
        for (index, operation) in operations.enumerated() {
            switch operation.kind {
            case .put: foresight.supply(written(by: operation), by: index)
            case .swapped, .swapUnknown:
                guard operation.value != operation.other else { continue }
                foresight.supply(written(by: operation), by: index)
            case .delete, .deletedValue:
                let place = place(of: operation.key)
                foresight.supply(Fact(place: place, value: .absent), by: index)
            case .append:
                for fact in endings.facts(endingWith: written(by: operation)) {
                    foresight.supply(fact, by: index)
                }
            case .get, .refused, .deletedNothing, .scan, .unansweredRead: break
            }
        }
        return foresight
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

    private func written(by operation: Operation) -> Fact {
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

/// Demanded values by the texts that they end with, for the pieces that are appended.
private struct Endings {
    private var found: [KeyValueModel.Fact: [KeyValueModel.Fact]] = [:]

    init(
        of facts: some Collection<KeyValueModel.Fact>,
        _ operations: [KeyValueModel.Operation],
        _ model: KeyValueModel
    ) {
        var wanted: Set<KeyValueModel.Fact> = []
        for operation in operations where operation.kind == .append {
            wanted.insert(
                KeyValueModel.Fact(
                    place: model.place(of: operation.key),
                    value: model.digest(operation.value)
                )
            )
        }
        guard !wanted.isEmpty else { return }
        let lengths = Set(wanted.map { Int($0.value.length) }).sorted()
        for fact in facts {
            guard let text = model.textOf(fact.value) else { continue }
            let bytes = text.utf8
            for length in lengths where length <= bytes.count {
                let ending = KeyValueModel.Fact(
                    place: fact.place,
                    value: ValueDigest(bytes: bytes.suffix(length))
                )
                if wanted.contains(ending) { found[ending, default: []].append(fact) }
            }
        }
    }

    func facts(endingWith piece: KeyValueModel.Fact) -> [KeyValueModel.Fact] {
        found[piece] ?? []
    }
}
