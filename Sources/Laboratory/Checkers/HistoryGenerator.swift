public import Determinism
public import Units

/// Makes client histories with a known verdict, from a seed.
///
/// Clients call, a real map applies each operation at a random point between call and return, and
/// some clients give up: then the operation happens later, or never. What comes out is
/// linearizable, because the points are a linearization. ``mutated(_:using:)`` changes what clients
/// heard.
public struct HistoryGenerator: Sendable {
    public var processes: Int
    public var operations: Int
    public var keys: Int
    /// How many different values are written; `nil` makes every value different.
    public var values: Int?
    /// How often each kind of call is drawn, relative to the others.
    public var mix: [ClientHistory.Kind]
    /// The chance that a client gives up.
    public var unknown: Ratio
    /// Of operations that were given up, the chance that they never happen.
    public var lost: Ratio
    /// The chance that an open operation rests while others move: more gives longer overlaps.
    public var patience: Ratio

    public init(
        processes: Int,
        operations: Int,
        keys: Int = 1,
        values: Int? = nil,
        mix: [ClientHistory.Kind] = [.get, .put, .compareAndSwap],
        unknown: Ratio = .zero,
        lost: Ratio = Ratio(0.5),
        patience: Ratio = .zero
    ) {
        self.processes = processes
        self.operations = operations
        self.keys = keys
        self.values = values
        self.mix = mix
        self.unknown = unknown
        self.lost = lost
        self.patience = patience
    }

    /// A history that is linearizable by construction.
    public func linearizable(using random: inout SeededRandom) -> ClientHistory {
        var run = Run(generator: self)
        while run.history.count < operations || run.hasOpen {
            run.move(using: &random)
        }
        return run.history
    }

    /// The history with some answers changed: it may or may not be linearizable.
    ///
    /// - Parameter changes: how many answered operations are drawn; those without a telling answer
    ///   stay as they are.
    public static func mutated(
        _ history: ClientHistory,
        changes: Int = 1,
        using random: inout SeededRandom
    ) -> ClientHistory {
        var changed: [Int: ClientHistory.Answer] = [:]
        guard history.count > 0 else { return history }
        for _ in 0..<changes {
            let number = Int(random.below(UInt64(history.count)))
            guard let answer = history.answer(of: number) else { continue }
            changed[number] = other(than: answer, in: history, using: &random)
        }
        return history.replacing(answers: changed)
    }

    private static func other(
        than answer: ClientHistory.Answer,
        in history: ClientHistory,
        using random: inout SeededRandom
    ) -> ClientHistory.Answer {
        func text() -> String? {
            let number = random.below(UInt64(history.texts.count + 1))
            return number == 0 ? nil : history.texts[Int(number) - 1]
        }
        switch answer {
        case .done: return .done
        case .value: return .value(text())
        case .swapped(let isTrue): return .swapped(!isTrue)
        case .deleted(let isTrue): return .deleted(!isTrue)
        case .entries(var entries):
            guard !entries.isEmpty else { return answer }
            let index = Int(random.below(UInt64(entries.count)))
            if let value = text(), random.chance(Ratio(0.5)) {
                entries[index].value = value
            } else {
                entries.remove(at: index)
            }
            return .entries(entries)
        }
    }
}

extension ClientHistory {
    /// The same events with some other answers.
    public func replacing(answers: [Int: Answer]) -> ClientHistory {
        var result = ClientHistory()
        var numbers = Array(repeating: 0, count: count)
        for (operation, isEnd) in events {
            guard isEnd, let time = ended(operation) else {
                numbers[operation] = result.invoke(
                    process: process(of: operation),
                    call(of: operation),
                    intended: intended(of: operation),
                    at: called(operation)
                )
                continue
            }
            switch outcome(of: operation) {
            case .open: break
            case .failed: result.fail(numbers[operation], at: time)
            case .unknown: result.giveUp(numbers[operation], at: time)
            case .answered:
                guard let answer = answers[operation] ?? answer(of: operation) else { break }
                result.answer(numbers[operation], answer, at: time)
            }
        }
        return result
    }
}

/// The map and the clients while a history is made.
private struct Run {
    let generator: HistoryGenerator
    var history = ClientHistory()
    private var store: [String: String] = [:]
    private var clients: [Client]
    /// Operations that were given up and still happen.
    private var late: [ClientHistory.Call] = []
    private var time = Instant.zero
    private var written = 0

    private enum Client {
        case idle
        case called(Int)
        case happened(Int, ClientHistory.Answer)
    }

    init(generator: HistoryGenerator) {
        self.generator = generator
        clients = Array(repeating: .idle, count: max(1, generator.processes))
    }

    var hasOpen: Bool {
        clients.contains { if case .idle = $0 { false } else { true } }
    }

    /// One thing happens: a call, an effect, a return, or the effect of something given up.
    mutating func move(using random: inout SeededRandom) {
        time += Interval(nanoseconds: 1 + Int64(random.below(1_000_000)))
        let drawn = Int(random.below(UInt64(clients.count + late.count)))
        guard drawn < clients.count else {
            let call = late.remove(at: drawn - clients.count)
            _ = apply(call)
            return
        }
        switch clients[drawn] {
        case .idle:
            guard history.count < generator.operations else { return }
            let call = self.call(using: &random)
            let number = history.invoke(process: Int32(drawn), call, at: time)
            clients[drawn] = .called(number)
        case .called(let number):
            if random.chance(generator.patience) { return }
            if random.chance(generator.unknown) {
                if !random.chance(generator.lost) { late.append(history.call(of: number)) }
                history.giveUp(number, at: time)
                clients[drawn] = .idle
            } else {
                clients[drawn] = .happened(number, apply(history.call(of: number)))
            }
        case .happened(let number, let answer):
            if random.chance(generator.patience) { return }
            if random.chance(generator.unknown) {
                history.giveUp(number, at: time)
            } else {
                history.answer(number, answer, at: time)
            }
            clients[drawn] = .idle
        }
    }

    private mutating func call(using random: inout SeededRandom) -> ClientHistory.Call {
        let key = "k\(random.below(UInt64(max(1, generator.keys))))"
        switch generator.mix[Int(random.below(UInt64(generator.mix.count)))] {
        case .get: return .get(key: key)
        case .put: return .put(key: key, value: value(using: &random))
        case .append: return .append(key: key, value: value(using: &random))
        case .compareAndSwap:
            // Half of the swaps expect what is there, so that some succeed.
            let guess =
                random.chance(Ratio(0.5))
                ? store[key]
                : generator.values.map { "\(random.below(UInt64($0)))" }
                    ?? "\(random.below(UInt64(written + 1)))"
            return .compareAndSwap(key: key, expected: guess, value: value(using: &random))
        case .delete: return .delete(key: key)
        case .scan:
            let first = random.below(UInt64(max(1, generator.keys)))
            let isBounded = random.chance(Ratio(0.5))
            return .scan(
                first: "k\(first)",
                end: random.chance(Ratio(0.5)) ? nil : "k\(first + 1 + random.below(3))",
                limit: isBounded ? 1 + Int(random.below(3)) : nil
            )
        }
    }

    private mutating func value(using random: inout SeededRandom) -> String {
        if let count = generator.values { return "\(random.below(UInt64(count)))" }
        written += 1
        return "\(written);"
    }

    private mutating func apply(_ call: ClientHistory.Call) -> ClientHistory.Answer {
        switch call {
        case .get(let key): return .value(store[key])
        case .put(let key, let value):
            store[key] = value
            return .done
        case .append(let key, let value):
            store[key, default: ""] += value
            return .done
        case .compareAndSwap(let key, let expected, let value):
            guard store[key] == expected else { return .swapped(false) }
            store[key] = value
            return .swapped(true)
        case .delete(let key): return .deleted(store.removeValue(forKey: key) != nil)
        case .scan(let first, let end, let limit):
            let keys = store.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let found = keys.filter { key in
                !key.utf8.lexicographicallyPrecedes(first.utf8)
                    && (end.map { key.utf8.lexicographicallyPrecedes($0.utf8) } ?? true)
            }
            return .entries(
                found.prefix(limit ?? .max).map {
                    ClientHistory.Entry(key: $0, value: store[$0] ?? "")
                }
            )
        }
    }
}
