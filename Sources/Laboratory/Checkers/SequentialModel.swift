/// What an object does when one operation follows another: the specification that a concurrent
/// history is compared with.
///
/// An operation stands for its call *and* its answer. The search never asks what an object would
/// answer, only whether the answer that was seen is possible. That keeps the search independent of
/// the shape of answers, and makes equal operations comparable by value.
///
/// Only the first six members are needed. The others make the search faster, and have defaults that
/// are always right.
public protocol SequentialModel: Sendable {
    /// A call with its answer, or a call that was never answered.
    associatedtype Operation: Hashable & Sendable
    associatedtype State: Hashable & Sendable
    /// Something that an answer can show about a state; see ``foresight(_:counts:)``.
    associatedtype Fact: Hashable & Sendable = Never

    /// The state before all of `operations`, which are the operations of one part.
    func initialState(of operations: [Operation]) -> State
    /// The state that `operation` leads to; `nil` when its answer cannot be given in `state`.
    func step(_ state: State, _ operation: Operation) -> State?
    /// The operation as if it had never been answered; `nil` when nobody can tell whether it
    /// happened, as with reads. What this returns has a step in every state.
    func unanswered(_ operation: Operation) -> Operation?
    /// Indices of `operations` in parts that do not influence each other, so that the whole is
    /// linearizable if and only if each part is (Herlihy and Wing's locality; P-compositionality in
    /// Horn and Kroening, FORTE 2015).
    func partition(_ operations: [Operation]) -> [[Int]]
    /// The operation for people, as short as it can be.
    func describe(_ operation: Operation) -> String
    /// The state for people.
    func describe(_ state: State) -> String

    /// Whether the operation leaves every state as it is in which it is possible.
    func isReadOnly(_ operation: Operation) -> Bool
    /// Bits of what the operation reads or changes. Two operations without a common bit commute.
    func footprint(_ operation: Operation) -> UInt64
    /// Which answers need which facts, and which operations can make them true.
    ///
    /// - Parameter counts: how often each of the distinct `operations` is there.
    func foresight(_ operations: [Operation], counts: [Int]) -> Foresight<Fact>
    /// Operations that may stand for the given ones, one by one, without changing whether the part is
    /// linearizable: values that no answer mentions need not be told apart.
    func simplified(_ operations: [Operation]) -> [Operation]
    /// The fact about the part of `state` that `operation` changes.
    func fact(of state: State, at operation: Operation) -> Fact?
    /// A state that stands for all that differ from it only in what no answer can tell any more, after
    /// `operation` has changed something.
    func collapsed(_ state: State, at operation: Operation, _ foresight: Foresight<Fact>) -> State
    /// Which of the unanswered operations can be left out because nobody saw their effect.
    ///
    /// - Parameter part: the operations of one part in the order of their calls.
    /// - Returns: positions in `part`. Leaving all of them out must not change whether the part is
    ///   linearizable.
    func unobserved(_ part: [ObservedOperation<Operation>]) -> [Int]
}

extension SequentialModel {
    public func partition(_ operations: [Operation]) -> [[Int]] { [Array(operations.indices)] }
    public func isReadOnly(_ operation: Operation) -> Bool { false }
    public func footprint(_ operation: Operation) -> UInt64 { .max }
    public func foresight(_ operations: [Operation], counts: [Int]) -> Foresight<Fact> {
        Foresight(count: operations.count)
    }
    public func simplified(_ operations: [Operation]) -> [Operation] { operations }
    public func fact(of state: State, at operation: Operation) -> Fact? { nil }
    public func collapsed(
        _ state: State,
        at operation: Operation,
        _ foresight: Foresight<Fact>
    ) -> State { state }
    public func unobserved(_ part: [ObservedOperation<Operation>]) -> [Int] { [] }
}

/// One operation of a history, with its place in the order of all calls and returns.
public struct ObservedOperation<Operation: Sendable>: Sendable {
    /// The client that called; a client has one open operation at a time, unless it gave one up.
    public var process: Int
    public var operation: Operation
    /// The position of the call among all calls and returns of the history; unique.
    public var called: Int
    /// The position of the return; `nil` when there was none.
    public var returned: Int?

    public init(process: Int, operation: Operation, called: Int, returned: Int?) {
        self.process = process
        self.operation = operation
        self.called = called
        self.returned = returned
    }
}

extension ObservedOperation: Equatable where Operation: Equatable {}

/// What answers show and operations can bring about, so that a search sees early that a state
/// which an answer needs can never come again.
///
/// A fact is *demanded* by an operation whose answer is possible only where it holds, and
/// *supplied* by operations that can make it true. When a fact does not hold, nobody is left to
/// supply it and somebody still demands it, no continuation exists.
public struct Foresight<Fact: Hashable & Sendable>: Sendable {
    /// The demanded facts, numbered.
    public private(set) var numbers: [Fact: Int32] = [:]
    /// For each operation the facts that its answer needs.
    public private(set) var demands: [[Int32]]
    /// For each operation the demanded facts that it can make true.
    public private(set) var supplies: [[Int32]]
    /// Facts that some answer could come to depend on; what is none of these is lost, see
    /// ``SequentialModel/collapsed(_:at:_:)``.
    public private(set) var viable: Set<Fact> = []

    public init(count: Int) {
        demands = Array(repeating: [], count: count)
        supplies = demands
    }

    /// Operation `index` is possible, or of use, only where `fact` holds; an operation without an
    /// answer demands something only when it must have happened.
    ///
    /// - Returns: whether nobody demanded the fact before.
    @discardableResult
    public mutating func demand(_ fact: Fact, by index: Int) -> Bool {
        let known = numbers[fact]
        let number = known ?? Int32(numbers.count)
        if known == nil { numbers[fact] = number }
        if !demands[index].contains(number) { demands[index].append(number) }
        return known == nil
    }

    /// A state with this fact may lead to one that an answer tells apart.
    ///
    /// - Returns: whether that was not known.
    @discardableResult
    public mutating func note(viable fact: Fact) -> Bool { viable.insert(fact).inserted }

    /// Operation `index` may make `fact` true. Facts that nobody demands are not kept, so demands
    /// come first.
    public mutating func supply(_ fact: Fact, by index: Int) {
        guard let number = numbers[fact], !supplies[index].contains(number) else { return }
        supplies[index].append(number)
    }
}
