import Foundation
import Synchronization

/// Carries out orders on several threads, each of which waits for a process of its own.
public struct SeedPool: Sendable {
    private let jobs: Int
    private let run: SeedRun

    /// - Parameter jobs: Orders at a time; at least one.
    public init(jobs: Int, run: @escaping SeedRun) {
        precondition(jobs > 0, "\(jobs) seeds at a time")
        self.jobs = jobs
        self.run = run
    }

    /// Carries out the orders, taken in sequence; returns when all are done, or those under way have
    /// been cancelled.
    ///
    /// - Parameter each: Gets every answer with its order's position, one at a time, in the order in
    ///   which they come. What it throws ends everything; when it says `false`, orders at later
    ///   positions are not begun, and cancelled where they are under way.
    public func perform(
        _ orders: [SeedOrder],
        isCancelled: @escaping @Sendable () -> Bool,
        each: @escaping @Sendable (Int, SeedAnswer) throws -> Bool
    ) throws {
        let work = Work(count: orders.count, isCancelled: isCancelled)
        let end = End()
        for slot in 0..<min(jobs, orders.count) {
            end.group.enter()
            Thread.detachNewThread { [run] in
                defer { end.group.leave() }
                while let index = work.take() {
                    work.attempt(index) {
                        guard let answer = try run(orders[index], slot, { work.isOver(index) })
                        else { return }
                        try work.deliver { if try !each(index, answer) { work.end(at: index) } }
                    }
                }
            }
        }
        end.group.wait()
        try work.throwFailure()
    }

    /// Where the caller waits for the threads.
    private final class End: @unchecked Sendable {
        // Unchecked, because a group of the dispatch library is made for several threads.
        let group = DispatchGroup()
    }

    /// What the threads share.
    private final class Work: Sendable {
        private let count: Int
        private let isCancelled: @Sendable () -> Bool
        private let next = Atomic<Int>(0)
        /// Orders behind this position are of no use any more.
        private let last = Atomic<Int>(Int.max)
        private let failure = Mutex<(any Error)?>(nil)
        private let turn = Mutex(())

        init(count: Int, isCancelled: @escaping @Sendable () -> Bool) {
            self.count = count
            self.isCancelled = isCancelled
        }

        func take() -> Int? {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            return index < count && !isOver(index) ? index : nil
        }

        func isOver(_ index: Int) -> Bool {
            index > last.load(ordering: .relaxed) || isCancelled()
        }

        func end(at index: Int) { last.min(index, ordering: .relaxed) }

        func deliver(_ body: () throws -> Void) throws {
            // Once something failed, nothing more is handed over.
            guard failure.withLock({ $0 == nil }) else { return }
            try turn.withLock { _ in try body() }
        }

        func attempt(_ index: Int, _ body: () throws -> Void) {
            do {
                try body()
            } catch {
                failure.withLock { $0 = $0 ?? error }
                end(at: -1)
            }
        }

        func throwFailure() throws {
            if let failure = failure.withLock({ $0 }) { throw failure }
        }
    }
}
