import Determinism
import Machines
import Raft
import RaftDefects
import ReplicatedStore
import Testing
import Units

// Goal: the replicated state does what its commands say, executes each update once, and survives its
// snapshot. Method: seeded commands beside a dictionary, repeated updates, a full table of sessions, and
// damaged snapshots.
@Suite struct StoreStateTests {
    static func bytes(_ text: String) -> Bytes { Array(text.utf8)[...] }

    /// One of a hundred keys of 0 to 24 bytes: all begin alike, and some differ in one byte, at an edge of eight of
    /// them. As in a message, it begins anywhere.
    static func key(_ random: inout SeededRandom) -> Bytes {
        let start = Int(random.below(8))
        var storage = [UInt8](repeating: 0xFF, count: start)
        storage += (0..<UInt8(random.below(25))).map { $0 &* 31 }
        let place = start + [0, 7, 8, 15, 16, 23, 24][Int(random.below(7))]
        if random.below(2) == 0, place < storage.count { storage[place] ^= 0x80 }
        return storage[start...]
    }

    static func value(_ random: inout SeededRandom) -> Bytes {
        let number = random.below(6)
        return number == 5 ? [] : bytes("v\(number)")
    }

    static func command(_ random: inout SeededRandom) -> StoreCommand {
        let key = key(&random)
        let value = value(&random)
        switch random.below(7) {
        case 0: return .get(key: key)
        case 1, 2: return .put(key: key, value: value)
        case 3:
            let expected = random.below(3) == 0 ? nil : StoreStateTests.value(&random)
            return .compareAndSet(key: key, expected: expected, value: value)
        case 4: return .append(key: key, value: value)
        case 5: return .delete(key: key)
        default: return .scan(start: key, limit: UInt16(random.below(40)))
        }
    }

    @Test func commandsBehaveLikeADictionary() {
        var random = SeededRandom(stateFrom: 5)
        var table = KeyValueTable(limit: .mebibytes(1))
        var model: [Bytes: Bytes] = [:]
        for round in 0..<20_000 {
            let command = StoreStateTests.command(&random)
            let expected: StoreResult
            switch command {
            case .get(let key): expected = .value(model[key])
            case .put(let key, let value):
                model[key] = value
                expected = .done
            case .compareAndSet(let key, let old, let value):
                let equal = model[key] == old
                if equal { model[key] = value }
                expected = .compared(wasSet: equal)
            case .append(let key, let value):
                let longer = (model[key] ?? []) + value
                if longer.count > StoreCommand.valueLimit {
                    expected = .full
                } else {
                    model[key] = longer
                    expected = .done
                }
            case .delete(let key):
                expected = .deleted(model.removeValue(forKey: key) != nil)
            case .scan(let start, let limit):
                let keys = model.keys.filter { !$0.lexicographicallyPrecedes(start) }
                    .sorted { $0.lexicographicallyPrecedes($1) }
                expected = .entries(
                    keys.prefix(Int(limit)).map { .init(key: $0, value: model[$0]!) }
                )
            }
            #expect(table.execute(command) == expected, "round \(round): \(command)")
        }
        #expect(table.size == model.reduce(0) { $0 + 8 + $1.key.count + $1.value.count })
        // What the run should have met, or it proves little.
        #expect(table.count == model.count && table.count > 40)
    }

    @Test func fullTableRefuses() {
        var table = KeyValueTable(limit: ByteCount(20 as Int64))
        #expect(table.execute(.put(key: [1], value: [1, 2, 3, 4, 5, 6, 7, 8])) == .done)
        #expect(table.execute(.put(key: [2], value: [1])) == .full)
        #expect(table.execute(.put(key: [1], value: [9])) == .done)
        #expect(table.execute(.put(key: [2], value: [1])) == .done)
        #expect(table.size == 20)
    }

    // Goal: a value grows up to its limit and not beyond it, and what is refused changes nothing. Method: appends to a
    // missing key and to a present one, until the value and then the table are full.
    @Test func valuesGrowUpToTheirLimit() {
        var table = KeyValueTable(limit: .mebibytes(1))
        var value = [UInt8](repeating: 7, count: StoreCommand.valueLimit - 1)
        #expect(table.execute(.append(key: [1], value: value[...])) == .done)
        #expect(table.execute(.append(key: [1], value: [8, 9])) == .full)
        #expect(table.value(of: [1]) == value[...] && table.size == 9 + value.count)
        #expect(table.execute(.append(key: [1], value: [8])) == .done)
        value.append(8)
        #expect(table.value(of: [1]) == value[...] && table.size == 9 + value.count)
        #expect(table.execute(.append(key: [1], value: [9])) == .full)
        #expect(table.execute(.append(key: [1], value: [])) == .done)
        #expect(table.value(of: [1]) == value[...] && table.size == 9 + value.count)
        #expect(table.execute(.append(key: [2], value: value[...])) == .done)
        #expect(table.execute(.append(key: [2], value: [9])) == .full)
        #expect(table.value(of: [2]) == value[...] && table.size == 2 * (9 + value.count))
        var small = KeyValueTable(limit: ByteCount(20 as Int64))
        #expect(small.execute(.append(key: [1], value: [1, 2, 3, 4, 5])) == .done)
        #expect(small.execute(.append(key: [1], value: [6, 7, 8, 9, 10, 11])) == .done)
        #expect(small.execute(.append(key: [1], value: [12])) == .full)
        #expect(small.execute(.append(key: [2], value: [])) == .full)
        let whole: Bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        #expect(small.value(of: [1]) == whole && small.size == 20)
    }

    // Goal: an empty value is a value. Method: what is expected is empty or missing, and so is what is there; the
    // neighbours have an empty value, too.
    @Test func anEmptyValueIsNotAMissingOne() {
        var table = KeyValueTable(limit: .mebibytes(1))
        func isSet(_ key: Bytes, _ expected: Bytes?, to value: Bytes) -> Bool? {
            let command = StoreCommand.compareAndSet(key: key, expected: expected, value: value)
            guard case .compared(let wasSet) = table.execute(command) else { return nil }
            return wasSet
        }
        #expect(isSet([5], [], to: [1]) == false)
        #expect(table.count == 0 && table.size == 0)
        #expect(isSet([5], nil, to: []) == true)
        // Before the only key, and behind it.
        for key in [[], [4], [5, 0], [6]] as [Bytes] {
            #expect(isSet(key, [], to: [1]) == false)
            #expect(table.value(of: key) == nil && table.count == 1)
        }
        #expect(isSet([5], nil, to: [1]) == false)
        #expect(isSet([5], [0], to: [1]) == false)
        #expect(table.read(.get(key: [5])) == .value([]))
        #expect(isSet([5], [], to: [1, 2]) == true)
        #expect(isSet([5], [], to: [3]) == false)
        #expect(isSet([5], [1], to: [3]) == false)
        #expect(table.read(.get(key: [5])) == .value([1, 2]))
        #expect(table.count == 1 && table.size == 11)
    }

    // MARK: Sessions

    /// The bytes of an entry, by way of a request and a replica's proposal.
    static func entry(
        _ session: UInt64,
        _ sequence: UInt64,
        answered: UInt64 = 0,
        _ command: StoreCommand = .append(key: [7], value: [1])
    ) -> Bytes {
        var writer = WireWriter()
        writer.write(UInt8(2))
        writer.write(session)
        writer.write(sequence)
        writer.write(answered)
        command.encode(into: &writer)
        return writer.bytes[...]
    }

    @Test func repeatedUpdatesAreExecutedOnce() {
        var state = StoreState(StoreConfiguration())
        let rules = StandardRules()
        #expect(state.apply([1], index: 1, term: 1, rules: rules) == .opened(session: 1))
        let entry = StoreStateTests.entry(1, 1)
        let first = state.apply(entry, index: 2, term: 1, rules: rules)
        #expect(first == .executed(session: 1, sequence: 1, .done))
        // Repeated in another leader's term.
        let second = state.apply(entry, index: 3, term: 2, rules: rules)
        #expect(second == .recognised(session: 1, sequence: 1, .done))
        #expect(state.read(.get(key: [7])) == .value([1]))
        // Acknowledged and hence forgotten: not executed either.
        let next = StoreStateTests.entry(1, 2, answered: 1)
        _ = state.apply(next, index: 4, term: 2, rules: rules)
        let late = state.apply(entry, index: 5, term: 2, rules: rules)
        #expect(late == .refused(.staleSequence))
        #expect(state.read(.get(key: [7])) == .value([1, 1]))
        let far = StoreStateTests.entry(1, 900, answered: 1)
        #expect(state.apply(far, index: 6, term: 2, rules: rules) == .refused(.staleSequence))
        let foreign = StoreStateTests.entry(99, 1)
        #expect(state.apply(foreign, index: 7, term: 2, rules: rules) == .refused(.noSession))
    }

    @Test func defectiveSessionsExecuteTwice() {
        var state = StoreState(StoreConfiguration())
        let rules = DefectiveRules(.retryAppliedTwice)
        _ = state.apply([1], index: 1, term: 1, rules: rules)
        let entry = StoreStateTests.entry(1, 1)
        _ = state.apply(entry, index: 2, term: 1, rules: rules)
        _ = state.apply(entry, index: 3, term: 2, rules: rules)
        #expect(state.read(.get(key: [7])) == .value([1, 1]))
    }

    @Test func unusedSessionsMakeRoom() {
        var configuration = StoreConfiguration()
        configuration.sessionLimit = 2
        var state = StoreState(configuration)
        let rules = StandardRules()
        _ = state.apply([1], index: 1, term: 1, rules: rules)
        _ = state.apply([1], index: 2, term: 1, rules: rules)
        // The older one is used, so the younger one goes.
        _ = state.apply(StoreStateTests.entry(1, 1), index: 3, term: 1, rules: rules)
        _ = state.apply([1], index: 4, term: 1, rules: rules)
        let gone = state.apply(StoreStateTests.entry(2, 1), index: 5, term: 1, rules: rules)
        let kept = state.apply(StoreStateTests.entry(1, 2), index: 6, term: 1, rules: rules)
        #expect(gone == .refused(.noSession))
        #expect(kept == .executed(session: 1, sequence: 2, .done))
    }

    @Test func snapshotsHoldEverything() throws {
        var random = SeededRandom(stateFrom: 6)
        let configuration = StoreConfiguration()
        var state = StoreState(configuration)
        let rules = StandardRules()
        for index in 1...2_000 as ClosedRange<UInt64> {
            if index % 50 == 1 {
                _ = state.apply([1], index: index, term: 1, rules: rules)
            } else {
                let session = 1 + 50 * random.below(index / 50 + 1)
                let entry = StoreStateTests.entry(session, 1 + random.below(40))
                _ = state.apply(entry, index: index, term: 1 + index / 100, rules: rules)
            }
        }
        let bytes = state.encoded()
        #expect(try StoreState(configuration, snapshot: bytes[...]) == state)
        for _ in 0..<3_000 {
            var changed = bytes
            switch random.below(3) {
            case 0: changed.removeLast(1 + Int(random.below(30)))
            case 1: changed.append(1)
            default: changed[Int(random.below(UInt64(bytes.count)))] ^= UInt8(1 << random.below(8))
            }
            if let other = try? StoreState(configuration, snapshot: changed[...]) {
                #expect(other.encoded() == changed)
            }
        }
    }

    // MARK: Byte forms

    static func message(_ random: inout SeededRandom) -> StoreMessage {
        let attempt = random.next()
        switch random.below(14) {
        case 0: return .request(attempt: attempt, .register)
        case 1, 2:
            var command = command(&random)
            if command.isRead { command = .delete(key: [1]) }
            return .request(
                attempt: attempt,
                .update(
                    session: random.next(),
                    sequence: random.next(),
                    answered: random.next(),
                    command
                )
            )
        case 3:
            return .request(
                attempt: attempt,
                .read(.scan(start: [1, 2], limit: 3), fromFollower: random.below(2) == 0)
            )
        case 4:
            return .request(
                attempt: attempt,
                .administer(.transferLeadership(to: NodeID(UInt32(random.below(9)))))
            )
        case 5:
            let change = MembershipChange.joint(
                voters: [NodeID(1), NodeID(4)],
                learners: [NodeID(2)],
                witnesses: [NodeID(4)]
            )
            return .request(attempt: attempt, .administer(.change(change)))
        case 6: return .answer(attempt: attempt, .registered(session: random.next()))
        case 7: return .answer(attempt: attempt, .refused(.notLeader(NodeID(3))))
        case 8: return .answer(attempt: attempt, .refused(.unknownOutcome))
        case 9:
            return .answer(attempt: attempt, .result(.entries([.init(key: [1], value: [2, 3])])))
        case 10: return .answer(attempt: attempt, .result(.value(random.below(2) == 0 ? nil : [4])))
        case 11: return .request(attempt: attempt, .members)
        case 12:
            let membership = try! Membership(
                voters: [NodeID(1), NodeID(4)],
                outgoing: [NodeID(2)],
                learners: [NodeID(3)]
            )
            return .answer(attempt: attempt, .members(membership))
        default: return .raft(.appendMatched(term: random.next(), index: random.next()))
        }
    }

    @Test func commandsAreAsLongAsTheySay() {
        var random = SeededRandom(stateFrom: 9)
        for round in 0..<2_000 {
            let command = StoreStateTests.command(&random)
            var writer = WireWriter()
            command.encode(into: &writer)
            #expect(command.encodedLength == writer.count, "round \(round)")
        }
    }

    @Test func messagesSurviveAndDamageIsRefused() {
        var random = SeededRandom(stateFrom: 7)
        for round in 0..<20_000 {
            let message = StoreStateTests.message(&random)
            var writer = WireWriter()
            message.encode(into: &writer)
            var reader = WireReader(writer.bytes)
            #expect((try? StoreMessage(from: &reader)) == message, "round \(round)")
            var changed = writer.bytes
            switch random.below(3) {
            case 0: changed.removeLast()
            case 1: changed.append(0)
            default:
                changed[Int(random.below(UInt64(changed.count)))] ^= UInt8(1 << random.below(8))
            }
            var second = WireReader(changed)
            if let other = try? StoreMessage(from: &second) {
                var again = WireWriter()
                other.encode(into: &again)
                #expect(again.bytes == changed)
            }
        }
    }
}
