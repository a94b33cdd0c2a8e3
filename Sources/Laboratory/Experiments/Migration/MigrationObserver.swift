public import DataSets
import LinkModel
import Machines
public import Measurements
public import Migration
import NetworkModel
import Scenarios
import Transport
public import Units

/// Turns what sources and destinations report into times, ratios, rounds and violations.
public struct MigrationObserver: ExperimentObserver {
    public typealias Program = MigrationNode<SnapshotMemory>

    let workload: Scenario.MigrationWorkload
    let memory: SnapshotMemory
    let path: Scenario.PathProperties
    let roundTrip: Interval
    let streams: Int
    let ends: [TransferEnd]

    /// One migration, from whatever end it was heard of.
    private struct Story {
        let session: SessionID
        var started: Instant?
        var paused: Instant?
        var running: Instant?
        var verifiedPages = 0
        var summary: MigrationSummary?
        var completed: Instant?
        var failure: MigrationFailure?
    }

    private var stories: [Story] = []
    private var markers: [Marker] = []
    private var streamsLost = 0
    private var refusedOrders = 0

    init(
        workload: Scenario.MigrationWorkload,
        memory: SnapshotMemory,
        path: Scenario.PathProperties,
        roundTrip: Interval,
        streams: Int,
        ends: [TransferEnd]
    ) {
        self.workload = workload
        self.memory = memory
        self.path = path
        self.roundTrip = roundTrip
        self.streams = streams
        self.ends = ends
    }

    public var isFinished: Bool {
        stories.count { $0.completed != nil || $0.failure != nil } + refusedOrders
            >= workload.count
    }

    public mutating func observe(_ event: MigrationEvent, on node: NodeID, at time: Instant) {
        switch event {
        case .started(let session, _, _):
            stories[index(of: session)].started = time
        case .round(let session, let round):
            observe(round, of: session, on: node, at: time)
        case .paused(let session, let reason):
            stories[index(of: session)].paused = time
            mark("migration.paused", session, node, time, [Field(reason.rawValue, 1)])
        case .verified(let session, let pages, _):
            stories[index(of: session)].verifiedPages = pages
        case .running(let session):
            stories[index(of: session)].running = time
            mark("migration.running", session, node, time, [])
        case .completed(let session, let summary):
            stories[index(of: session)].summary = summary
            stories[index(of: session)].completed = time
        case .resumedAtSource(let session, let paused):
            mark(
                "migration.resumed-at-source",
                session,
                node,
                time,
                [Field("paused-seconds", paused.seconds)]
            )
        case .failed(let session, let failure):
            let place = index(of: session)
            stories[place].failure = stories[place].failure ?? failure
        case .orderRefused:
            refusedOrders += 1
        case .streamLost:
            streamsLost += 1
        }
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let done = stories.filter { $0.completed != nil }
        record.markers += markers
        record.invariants.append(identity(ending))
        if let failed = stories.first(where: { $0.failure != nil }), let failure = failed.failure {
            record.outcome = outcome(of: failure, in: failed)
        } else if refusedOrders > 0 {
            record.outcome = .livenessViolation(
                message: "\(refusedOrders) guests are more than a node sends in one life"
            )
        }
        record.facts += facts(done)
        guard !done.isEmpty else { return }
        measureTimes(done, ending, into: &record)
        measureUtilisation(done, ending, into: &record)
        measureRatios(done, ending, into: &record)
        guard done.count == workload.count, let first = done.compactMap(\.started).min(),
            let last = done.compactMap(\.completed).max()
        else { return }
        record.metrics += ending.processorCosts(
            of: done.reduce(0) { $0 + Int64($1.summary?.stateBytes ?? 0) },
            ends,
            from: first,
            to: last
        )
    }

    // MARK: Observing

    private mutating func index(of session: SessionID) -> Int {
        if let index = stories.firstIndex(where: { $0.session == session }) { return index }
        stories.append(Story(session: session))
        return stories.count - 1
    }

    private mutating func observe(
        _ round: MigrationRound,
        of session: SessionID,
        on node: NodeID,
        at time: Instant
    ) {
        mark(
            "migration.round",
            session,
            node,
            time,
            [
                Field("round", Double(round.index)),
                Field("dirty", Double(round.stateBytes)),
                Field("wire", Double(round.wireBytes)),
                Field("seconds", (round.end - round.start).seconds),
                Field("stop-and-copy", round.isStopAndCopy ? 1 : 0),
            ]
        )
    }

    private mutating func mark(
        _ kind: String,
        _ session: SessionID,
        _ node: NodeID,
        _ time: Instant,
        _ fields: [Field]
    ) {
        let all = [Field("session", Double(session.number))] + fields
        markers.append(Marker(time: time, node: node.description, kind: kind, fields: all))
    }

    // MARK: Measuring

    private func identity(_ ending: ReplicationEnding) -> InvariantOutcome {
        var violations: [Violation] = []
        for story in stories {
            if story.failure == .memoryMismatch {
                let message = "\(story.session): the memory at the destination differs"
                violations.append(Violation(time: ending.time, message: message))
            } else if story.running != nil, story.verifiedPages != memory.pageCount {
                let message =
                    "\(story.session) runs with \(story.verifiedPages) of "
                    + "\(memory.pageCount) pages verified"
                violations.append(Violation(time: ending.time, message: message))
            }
        }
        return InvariantOutcome(
            name: Scenario.Invariant.memoryIdenticalAfterMigration.rawValue,
            checked: UInt64(stories.count { $0.verifiedPages > 0 || $0.failure != nil }),
            violations: violations
        )
    }

    private func outcome(of failure: MigrationFailure, in story: Story) -> RunOutcome {
        let message = "\(story.session) failed: \(failure.words)"
        switch failure {
        case .memoryMismatch:
            return .safetyViolation(message: message)
        case .transport, .outcomeUnknown, .refused, .abandoned:
            return .livenessViolation(message: message)
        case .decoding, .malformed:
            return .failed(message: message)
        }
    }

    private func measureTimes(
        _ done: [Story],
        _ ending: ReplicationEnding,
        into record: inout RunRecord
    ) {
        // Where the rate varies, a migration may meet its best times.
        let link = ending.link(from: workload.from, to: workload.to)
        let rate = link?.parameters.freePeak ?? meanFreeRate
        let times = done.compactMap { story -> Double? in
            guard let started = story.started, let running = story.running else { return nil }
            return (running - started).seconds
        }
        // Half a round trip, and the fewest bytes that any migration of this run sent.
        let fewest = done.compactMap { $0.summary?.encodedBytes }.min() ?? 0
        let least = roundTrip.seconds / 2 + Double(fewest) * 8 / rate
        record.metrics.append(
            MetricValue(
                "migration-time",
                samples: times,
                bound: ending.bound(
                    .lower,
                    least,
                    derivation: "RTT/2 + \(fewest) B / highest free rate, the smallest migration"
                )
            )
        )
        let downtimes = done.compactMap { story -> Double? in
            guard let paused = story.paused, let running = story.running else { return nil }
            return (running - paused).milliseconds
        }
        record.metrics.append(
            MetricValue(
                "downtime",
                samples: downtimes,
                bound: ending.bound(
                    .lower,
                    roundTrip.milliseconds / 2,
                    derivation: "RTT/2 of \(roundTrip)"
                )
            )
        )
    }

    /// What the scenario's link leaves on average, for runs without it.
    private var meanFreeRate: Double {
        Double(path.rate.bitsPerSecond) * (1 - path.background.value)
    }

    /// What the migrations delivered, over all the time they took; pauses and rounds that wait for the
    /// guest count as time. Runs below 50 bandwidth-delay products say nothing about a link.
    private func measureUtilisation(
        _ done: [Story],
        _ ending: ReplicationEnding,
        into record: inout RunRecord
    ) {
        guard !ending.links.isEmpty, done.count == workload.count,
            let first = done.compactMap(\.started).min(),
            let last = done.compactMap(\.running).max(), last > first
        else { return }
        let seconds = (last - first).seconds
        let free =
            ending.link(from: workload.from, to: workload.to)
            .map { $0.parameters.freeBits(from: first, to: last) / seconds } ?? meanFreeRate
        guard free > 0 else { return }
        let delivered = done.reduce(0.0) { $0 + Double($1.summary?.encodedBytes ?? 0) }
        let products = delivered / (free / 8 * roundTrip.seconds)
        let rounded = (products * 10).rounded() / 10
        record.facts.append(Fact("bandwidth-delay products", "\(rounded) delivered"))
        guard products >= 50 else { return }
        record.metrics.append(
            MetricValue(
                "utilisation",
                100 * delivered * 8 / seconds / free,
                bound: ending.bound(.upper, 100, derivation: "the free rate of the link")
            )
        )
    }

    private func measureRatios(
        _ done: [Story],
        _ ending: ReplicationEnding,
        into record: inout RunRecord
    ) {
        // Simulated links count every byte with all headers, in both directions; sockets only know
        // what was handed to streams, which is less, so no ratio is claimed there.
        guard let there = ending.link(from: workload.from, to: workload.to),
            let back = ending.link(from: workload.to, to: workload.from)
        else { return }
        let sameLink = workload.from == workload.to
        let wire =
            Double(there.counters.departedBytes)
            + (sameLink ? 0 : Double(back.counters.departedBytes))
        // Bytes of migrations that did not end would count for nothing.
        guard done.count == workload.count, wire > 0 else { return }
        let summaries = done.compactMap(\.summary)
        let state = summaries.reduce(0.0) { $0 + Double($1.stateBytes) }
        let image = summaries.reduce(0.0) { $0 + Double($1.memoryBytes) }
        let packets = Double(there.counters.departedPackets)
        record.metrics += [
            MetricValue(
                "ratio-dirty",
                state / wire,
                bound: PhysicalBound(
                    .upper,
                    state / max(1, packets * 66),
                    derivation: "state bytes / headers of \(there.counters.departedPackets) packets"
                )
            ),
            MetricValue("ratio-full", image / wire, bound: nil),
        ]
        record.facts.append(Fact("bytes on the wire", "\(UInt64(wire)), both directions"))
    }

    private func facts(_ done: [Story]) -> [Fact] {
        let summaries = done.compactMap(\.summary)
        var pages = MigrationSummary.Pages()
        for summary in summaries {
            pages.zero += summary.pages.zero
            pages.unchanged += summary.pages.unchanged
            pages.duplicate += summary.pages.duplicate
            pages.delta += summary.pages.delta
            pages.literal += summary.pages.literal
        }
        let end = done.compactMap(\.completed).max() ?? .zero
        let dataSet = memory.dataSet
        return [
            Fact("data set", "\(dataSet.name), sha256 \(dataSet.digest)"),
            Fact(
                "memory",
                "\(dataSet.memorySize), \(dataSet.snapshotCount) snapshots over \(dataSet.duration), "
                    + "walk turned round \(memory.wraps(at: end)) times"
            ),
            Fact("migrations", "\(done.count) of \(workload.count) completed and verified"),
            Fact("rounds", summaries.map { "\($0.rounds)" }.joined(separator: ", ")),
            Fact("stopped because", summaries.map(\.stopReason.rawValue).joined(separator: ", ")),
            Fact(
                "pages sent",
                "\(pages.zero) zero, \(pages.unchanged) unchanged, \(pages.duplicate) duplicate, "
                    + "\(pages.delta) delta, \(pages.literal) literal"
            ),
            Fact("streams", "\(streams)"),
            Fact("streams lost", "\(streamsLost)"),
        ]
    }
}

extension MigrationFailure {
    /// The failure as an outcome tells it.
    fileprivate var words: String {
        switch self {
        case .transport(.deadlineExceeded): "the transfer was not over within its deadline"
        case .outcomeUnknown(.deadlineExceeded):
            "the deadline came after everything was sent and before an answer, so the guest stays "
                + "paused"
        case .transport, .decoding, .memoryMismatch, .refused, .malformed, .outcomeUnknown,
            .abandoned:
            "\(self)"
        }
    }
}
