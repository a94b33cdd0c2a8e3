/// A single register with read, write and compare-and-swap: what the logs of etcd's first
/// linearizability tests talk about.
public struct RegisterModel: SequentialModel {
    public typealias State = Int64?
    public typealias Fact = Int64?

    /// The value before the first write; `nil` is a register that was never written.
    public var initial: Int64?

    public init(initial: Int64? = nil) {
        self.initial = initial
    }

    public enum Operation: Hashable, Sendable {
        case read(Int64?)
        case write(Int64)
        case swap(from: Int64, to: Int64, Outcome)

        public enum Outcome: Hashable, Sendable {
            case swapped
            /// An answer like any other: the register did not hold `from`.
            case refused
            case unknown
        }
    }

    public func initialState(of operations: [Operation]) -> State { initial }

    public func step(_ state: State, _ operation: Operation) -> State? {
        switch operation {
        case .read(let value): state == value ? .some(state) : nil
        case .write(let value): .some(value)
        case .swap(let from, let to, .swapped): state == from ? .some(to) : nil
        case .swap(let from, _, .refused): state == from ? nil : .some(state)
        case .swap(let from, let to, .unknown): .some(state == from ? to : state)
        }
    }

    public func unanswered(_ operation: Operation) -> Operation? {
        switch operation {
        case .read: nil
        case .write: operation
        case .swap(let from, let to, _): from == to ? nil : .swap(from: from, to: to, .unknown)
        }
    }

    public func isReadOnly(_ operation: Operation) -> Bool {
        switch operation {
        case .read, .swap(_, _, .refused): true
        case .write: false
        case .swap(let from, let to, _): from == to
        }
    }

    public func foresight(_ operations: [Operation], counts: [Int]) -> Foresight<Fact> {
        var foresight = Foresight<Fact>(count: operations.count)
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .read(let value): foresight.demand(value, by: index)
            case .swap(let from, _, .swapped): foresight.demand(from, by: index)
            case .write, .swap: break
            }
        }
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .write(let value): foresight.supply(value, by: index)
            case .swap(_, let to, .swapped), .swap(_, let to, .unknown):
                foresight.supply(to, by: index)
            case .read, .swap: break
            }
        }
        return foresight
    }

    public func simplified(_ operations: [Operation]) -> [Operation] {
        var mentioned: Set<Int64> = []
        for operation in operations {
            switch operation {
            case .read(let value): if let value { mentioned.insert(value) }
            case .swap(let from, _, _): mentioned.insert(from)
            case .write: break
            }
        }
        var common: Int64?
        func simple(_ value: Int64) -> Int64 {
            if mentioned.contains(value) { return value }
            if common == nil { common = value }
            return common ?? value
        }
        return operations.map { operation in
            switch operation {
            case .read: operation
            case .write(let value): .write(simple(value))
            case .swap(let from, let to, let outcome):
                .swap(from: from, to: simple(to), outcome)
            }
        }
    }

    public func fact(of state: State, at operation: Operation) -> Fact? { .some(state) }

    /// An unanswered operation that leaves value *v* can be left out when no answer that came after
    /// its call needs *v*, no other unanswered swap expects *v*, and no refused swap came after it:
    /// a refusal shows that *some* other value was there, which this one may have been.
    public func unobserved(_ part: [ObservedOperation<Operation>]) -> [Int] {
        var evidence = Evidence<Int64?>()
        for observed in part {
            let end = observed.returned
            switch observed.operation {
            case .read(let value): evidence.see(value, until: end)
            case .swap(let from, _, .swapped): evidence.see(from, until: end)
            case .swap(_, _, .refused): evidence.seeDifference(until: end)
            case .write, .swap: break
            }
        }
        let pending = part.indices.filter { part[$0].returned == nil }.map { index in
            switch part[index].operation {
            case .write(let value):
                Evidence<Int64?>.Pending(
                    index: index,
                    called: part[index].called,
                    leaves: value,
                    expects: nil
                )
            case .swap(let from, let to, _):
                Evidence<Int64?>.Pending(
                    index: index,
                    called: part[index].called,
                    leaves: to,
                    expects: .some(from)
                )
            case .read(let value):
                Evidence<Int64?>.Pending(
                    index: index,
                    called: part[index].called,
                    leaves: value,
                    expects: nil
                )
            }
        }
        return evidence.unobserved(pending)
    }

    public func describe(_ operation: Operation) -> String {
        switch operation {
        case .read(let value): "read → \(describe(value))"
        case .write(let value): "write \(value)"
        case .swap(let from, let to, .swapped): "cas \(from)→\(to)"
        case .swap(let from, let to, .refused): "cas \(from)→\(to) refused"
        case .swap(let from, let to, .unknown): "cas \(from)→\(to)?"
        }
    }

    public func describe(_ state: State) -> String { state.map { "\($0)" } ?? "nil" }
}
