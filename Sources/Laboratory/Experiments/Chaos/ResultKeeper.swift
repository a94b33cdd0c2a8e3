import Foundation
import Measurements
import Synchronization

/// Keeps the results of seeds beside the seeds that follow: what writes one to a disk must not make the
/// process wait that runs the next.
///
/// One result at a time, in the order in which they were added.
final class ResultKeeper: @unchecked Sendable {
    // Unchecked, because queues of the dispatch library are made for several threads.

    private let queue = DispatchQueue(label: "novalab.results")
    private let room: DispatchSemaphore
    private let failure = Mutex<(any Error)?>(nil)
    private let keep: @Sendable (SeedResult) throws -> Void

    /// - Parameters:
    ///   - waiting: Results that may wait, at least one; who adds more waits, so that memory stays bounded
    ///     where keeping is slower than running.
    ///   - keep: Keeps one; once it has thrown it is not called again.
    init(waiting: Int, keep: @escaping @Sendable (SeedResult) throws -> Void) {
        precondition(waiting > 0, "\(waiting) results may wait")
        room = DispatchSemaphore(value: waiting)
        self.keep = keep
    }

    /// - Throws: What keeping an earlier result threw.
    func add(_ result: SeedResult) throws {
        try throwFailure()
        room.wait()
        queue.async { [self] in
            defer { room.signal() }
            guard failure.withLock({ $0 == nil }) else { return }
            do {
                try keep(result)
            } catch {
                failure.withLock { $0 = error }
            }
        }
    }

    /// Returns once everything that was added is kept.
    ///
    /// - Throws: What keeping a result threw.
    func finish() throws {
        queue.sync {}
        try throwFailure()
    }

    private func throwFailure() throws {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
