public import Effects
import Initialization
import Units

extension TaskQueue {
    /// Adds a task; it is claimed not before `due`.
    ///
    /// - Parameters:
    ///   - key: while a task with this key waits or runs, no second one is added and the answer names
    ///     the first.
    ///   - along: further statements of the same transaction.
    @discardableResult
    public func enqueue(
        kind: String,
        payload: [UInt8] = [],
        key: String? = nil,
        due: WallTime? = nil,
        along: [SQLStatement] = []
    ) async throws(TaskQueueError) -> Int64 {
        guard (1...100).contains(kind.unicodeScalars.count) else { throw .badName(kind) }
        if let key, !(1...200).contains(key.unicodeScalars.count) { throw .badName(key) }
        guard payload.count <= limits.payloadBytes else {
            throw .payloadTooLarge(bytes: payload.count, limit: limits.payloadBytes)
        }
        let (now, _) = present()
        let keyValue = key.map { SQLValue.text($0) } ?? .null
        let insert = SQLStatement(
            """
            INSERT INTO task (kind, key, payload, state, attempts, created, due)
            SELECT ?, ?, ?, 'waiting', 0, ?, ?
            WHERE (SELECT count(*) FROM task WHERE state = 'waiting')
                + (SELECT count(*) FROM task WHERE state = 'running') < ?
            AND NOT EXISTS (
                SELECT 1 FROM task WHERE key = ? AND state IN ('waiting', 'running'))
            RETURNING id
            """,
            [
                .text(kind), keyValue, .blob(payload), .integer(now.nanoseconds),
                .integer((due ?? now).nanoseconds), .integer(Int64(limits.capacity)), keyValue,
            ]
        )
        let find = SQLStatement(
            "SELECT id FROM task WHERE key = ? AND state IN ('waiting', 'running')",
            [keyValue]
        )
        let rows = try await transaction([insert, find] + along)
        guard let id = rows[0].first?[0].integer ?? rows[1].first?[0].integer else {
            throw .full(capacity: limits.capacity)
        }
        if !rows[0].isEmpty { ring() }
        return id
    }

    /// Takes the task that has been due for longest among those of `kinds`; `nil` when none is due.
    /// Leases that have run out are taken back first.
    public func claim(kinds: [String]) async throws(TaskQueueError) -> TaskLease? {
        guard !kinds.isEmpty else { return nil }
        let (now, isSetBack) = present()
        let token = newToken()
        let expires = now + limits.lease
        let marks = kinds.map { _ in "?" }.joined(separator: ", ")
        let claim = SQLStatement(
            """
            UPDATE task SET state = 'running', attempts = attempts + 1, token = ?, expires = ?
            WHERE id = (
                SELECT id FROM task WHERE state = 'waiting' AND due <= ? AND kind IN (\(marks))
                ORDER BY due, id LIMIT 1)
            RETURNING id, kind, payload, attempts
            """,
            [.text(token), .integer(expires.nanoseconds), .integer(now.nanoseconds)]
                + kinds.map { .text($0) }
        )
        let first = isSetBack ? corrections(at: now) : []
        let rows = try await transaction(first + [recovery(at: now), claim])
        if isSetBack { corrected(at: now) }
        guard let row = rows.last?.first else { return nil }
        guard let id = row[0].integer, let kind = row[1].text, let payload = row[2].blob,
            let attempt = row[3].integer
        else { throw .damaged("a task has the shape \(row)") }
        let task = QueuedTask(id: id, kind: kind, payload: payload, attempt: Int(attempt))
        return TaskLease(task: task, token: token, expires: expires)
    }

    /// Says that the holder lives: the lease now ends one lease length from now.
    public func extend(_ lease: TaskLease) async throws(TaskQueueError) -> TaskLease {
        let expires = clock.wallTime + limits.lease
        let rows = try await transaction([
            SQLStatement(
                """
                UPDATE task SET expires = ? WHERE id = ? AND token = ? AND state = 'running'
                RETURNING id
                """,
                [.integer(expires.nanoseconds), .integer(lease.task.id), .text(lease.token)]
            )
        ])
        guard !rows[0].isEmpty else { throw .leaseLost(task: lease.task.id) }
        var extended = lease
        extended.expires = expires
        return extended
    }

    /// Ends a task well.
    public func complete(_ lease: TaskLease) async throws(TaskQueueError) {
        let now = clock.wallTime.nanoseconds
        let rows = try await transaction([
            SQLStatement(
                """
                UPDATE task SET state = 'done', expires = NULL, finished = ?, failure = NULL
                WHERE id = ? AND token = ? AND state = 'running'
                """,
                [.integer(now), .integer(lease.task.id), .text(lease.token)]
            ),
            outcome(of: lease),
        ])
        guard let row = rows[1].first, row[0].text == "done" else {
            throw .leaseLost(task: lease.task.id)
        }
    }

    /// Ends an attempt badly: the task waits for its next attempt, or is dead.
    public func fail(
        _ lease: TaskLease,
        reason: String
    ) async throws(TaskQueueError) -> TaskVerdict {
        let (now, _) = present()
        let due = now + delay(afterAttempt: lease.task.attempt)
        let isLast = SQLValue.integer(Int64(limits.retry.attempts))
        let rows = try await transaction([
            SQLStatement(
                """
                UPDATE task SET
                    state = CASE WHEN attempts >= ? THEN 'dead' ELSE 'waiting' END,
                    finished = CASE WHEN attempts >= ? THEN ? END,
                    due = ?, expires = NULL, failure = ?
                WHERE id = ? AND token = ? AND state = 'running'
                """,
                [
                    isLast, isLast, .integer(now.nanoseconds), .integer(due.nanoseconds),
                    .text(String(reason.unicodeScalars.prefix(1000))), .integer(lease.task.id),
                    .text(lease.token),
                ]
            ),
            outcome(of: lease),
        ])
        guard let row = rows[1].first, let due = row[1].integer else {
            throw .leaseLost(task: lease.task.id)
        }
        switch row[0].text {
        case "dead": return .dead
        case "waiting": return .retried(at: WallTime(nanoseconds: due))
        case _: throw .leaseLost(task: lease.task.id)
        }
    }

    /// Gives a task back untouched, as if it had not been claimed; for holders that are told to end.
    public func release(_ lease: TaskLease) async throws(TaskQueueError) {
        let rows = try await transaction([
            SQLStatement(
                """
                UPDATE task SET state = 'waiting', attempts = attempts - 1, expires = NULL
                WHERE id = ? AND token = ? AND state = 'running'
                """,
                [.integer(lease.task.id), .text(lease.token)]
            ),
            outcome(of: lease),
        ])
        guard let row = rows[1].first, row[0].text == "waiting" else {
            throw .leaseLost(task: lease.task.id)
        }
        ring()
    }

    /// Takes all leases back, also those that have not run out: to be called when a node starts, since
    /// nobody who held one can still be there, and the clock may have been set back meanwhile. Returns
    /// how many there were.
    @discardableResult
    public func recoverAll() async throws(TaskQueueError) -> Int {
        let rows = try await transaction([recovery(at: nil)] + corrections(at: clock.wallTime))
        return rows[0].count
    }

    /// Removes tasks that ended before `time`, and the oldest beyond `limits.finished`; at most
    /// `batch` of them. Returns how many.
    @discardableResult
    public func prune(
        endedBefore time: WallTime,
        batch: Int = 10_000
    ) async throws(TaskQueueError) -> Int {
        let rows = try await transaction([
            SQLStatement(
                """
                DELETE FROM task WHERE id IN (
                    SELECT id FROM task
                    WHERE finished IS NOT NULL AND (finished < ? OR id IN (
                        SELECT id FROM task WHERE finished IS NOT NULL
                        ORDER BY finished DESC, id DESC LIMIT -1 OFFSET ?))
                    ORDER BY finished, id LIMIT ?)
                RETURNING id
                """,
                [
                    .integer(time.nanoseconds), .integer(Int64(limits.finished)),
                    .integer(Int64(batch)),
                ]
            )
        ])
        return rows[0].count
    }

    public func counts() async throws(TaskQueueError) -> TaskCounts {
        let rows = try await transaction([
            SQLStatement("SELECT state, count(*) FROM task GROUP BY state")
        ])
        var counts = TaskCounts()
        for row in rows[0] {
            let count = Int(row[1].integer ?? 0)
            switch row[0].text {
            case "waiting": counts.waiting = count
            case "running": counts.running = count
            case "done": counts.done = count
            case "dead": counts.dead = count
            case let state: throw .damaged("a task is '\(state ?? "nothing")'")
            }
        }
        return counts
    }

    func ring() { doorbell.continuation.yield() }

    /// Brings waiting tasks back into reach after the clock was set back.
    private func corrections(at now: WallTime) -> [SQLStatement] {
        let longest = limits.retry.maximumDelay.scaled(by: 1 + limits.retry.jitter)
        return [
            SQLStatement(
                """
                UPDATE task SET due = due - (created - ?), created = ?
                WHERE state = 'waiting' AND due > ? AND created > ?
                """,
                Array(repeating: .integer(now.nanoseconds), count: 4)
            ),
            SQLStatement(
                "UPDATE task SET due = ? WHERE state = 'waiting' AND due > ? AND attempts > 0",
                [.integer(now.nanoseconds), .integer((now + longest).nanoseconds)]
            ),
        ]
    }

    /// Takes leases back that have run out by `now`, or all of them.
    private func recovery(at now: WallTime?) -> SQLStatement {
        let time = now ?? clock.wallTime
        // A lease twice as long as any was given before the clock was set back.
        let implausible = time + limits.lease * 2
        let attempts = SQLValue.integer(Int64(limits.retry.attempts))
        return SQLStatement(
            """
            UPDATE task SET
                state = CASE WHEN attempts >= ? THEN 'dead' ELSE 'waiting' END,
                finished = CASE WHEN attempts >= ? THEN ? END,
                token = NULL, expires = NULL, failure = 'its holder was lost'
            WHERE state = 'running' AND (? OR expires <= ? OR expires > ?)
            RETURNING id
            """,
            [
                attempts, attempts, .integer(time.nanoseconds), .integer(now == nil ? 1 : 0),
                .integer(time.nanoseconds), .integer(implausible.nanoseconds),
            ]
        )
    }

    /// What the claim with this token has led to, if nobody has claimed the task since.
    private func outcome(of lease: TaskLease) -> SQLStatement {
        SQLStatement(
            "SELECT state, due FROM task WHERE id = ? AND token = ?",
            [.integer(lease.task.id), .text(lease.token)]
        )
    }

    private func transaction(
        _ statements: [SQLStatement]
    ) async throws(TaskQueueError) -> [[SQLRow]] {
        do {
            return try await database.transaction(statements)
        } catch {
            throw .database(error)
        }
    }
}
