import Foundation
import SocketEnvironment

/// Messages of all processes in the order of their arrival.
final class Mailbox<Message: Sendable>: @unchecked Sendable {
    struct Letter: Sendable {
        let node: Int
        let incarnation: UInt32
        /// `nil` once a process has ended.
        let message: Message?
    }

    // Guarded by `condition`.
    private var letters: [Letter] = []
    private var position = 0
    private let condition = NSCondition()

    func put(_ letter: Letter) {
        condition.withLock {
            letters.append(letter)
            condition.signal()
        }
    }

    /// The next letter; `nil` when none came before the monotonic clock showed `deadline`.
    func take(before deadline: Int64) -> Letter? {
        condition.withLock {
            while position == letters.count {
                let wait = deadline - MonotonicClock.nanoseconds
                guard wait > 0 else { return nil }
                _ = condition.wait(until: Date().addingTimeInterval(Double(wait) / 1e9))
            }
            defer {
                position += 1
                if position == letters.count {
                    letters.removeAll(keepingCapacity: true)
                    position = 0
                }
            }
            return letters[position]
        }
    }
}
