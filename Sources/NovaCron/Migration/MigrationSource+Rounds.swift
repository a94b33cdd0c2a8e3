import DeltaEncoding
import Machines
import Transport
import Units

/// The rounds: which pages leave, when a round is over, and when the guest is stopped.
extension MigrationSource {
    /// Does whatever can be done now: encodes more pages, ends a round, ends the transfer.
    mutating func advance(at now: Instant, into actions: inout Actions<Node>) {
        switch phase {
        case .copying:
            encodeMore(at: now, into: &actions)
            // A round ends at most once a turn; one without pages would end the next one at once.
            if isRoundSent { considerEnd(at: now, into: &actions) }
        case .stopping:
            encodeMore(at: now, into: &actions)
            if isRoundSent { sendEnd(at: now) }
        case .confirming, .finishing, .over:
            break
        }
    }

    /// Whether every page of the round is with the transport.
    private var isRoundSent: Bool { cursor == pending.count && preparedBatches == 0 }

    /// Starts encode jobs as far as jobs, pages and the transport's room allow.
    private mutating func encodeMore(at now: Instant, into actions: inout Actions<Node>) {
        let limit = MigrationConfiguration.chunkLimit(pages: configuration.pagesPerBatch)
        while cursor < pending.count, runningJobs < configuration.encodeJobs,
            preparedBatches < 2 * configuration.encodeJobs,
            preparedBatches < sender.roomForChunks,
            (preparedBatches + 1) * limit <= sender.room
        {
            let pages = nextPages(at: guestTime(at: now))
            guard !pages.isEmpty else { return }
            round.pages += pages.count
            runningJobs += 1
            actions.compute(.encode(encoder.prepare(PageBatch(pages))), id: newJob())
        }
    }

    private mutating func newJob() -> JobID {
        nextJob += 1
        return JobID(UInt64(index) << 32 | nextJob)
    }

    /// Reads the next pages of the round that the destination does not have as they are.
    private mutating func nextPages(at time: Instant) -> [PageVersion] {
        var pages: [PageVersion] = []
        pages.reserveCapacity(configuration.pagesPerBatch)
        while cursor < pending.count, pages.count < configuration.pagesPerBatch {
            let page = pending[cursor]
            cursor += 1
            let version = order.memory.contentVersion(ofPage: page, at: time)
            // A page may have got its old content back since the round began.
            if round.index > 0, version == sentVersions[page] { continue }
            sentVersions[page] = version
            pages.append(
                PageVersion(PageNumber(UInt32(page)), order.memory.page(page, at: time))
            )
        }
        return pages
    }

    /// Gives encoded batches to the transport, in order.
    mutating func sendReady(at now: Instant) {
        while let batch = encoded.removeValue(forKey: nextBatch) {
            nextBatch += 1
            round.encodedBytes += batch.bytes.count
            var chunk = Payload(MigrationChunk.batchTag)
            chunk.append(batch.bytes)
            sender.step(.requested(.enqueue(chunk)), at: now, into: &senderActions)
        }
    }

    /// Decides, with the whole round sent, whether to wait, to go on or to stop the guest.
    ///
    /// While bytes are on their way the guest is stopped as soon as what is left fits the goal; another
    /// round begins only when all are acknowledged, because pages read earlier would leave no sooner.
    private mutating func considerEnd(at now: Instant, into actions: inout Actions<Node>) {
        let inFlight = sender.unacknowledgedBytes
        guard inFlight > 0 else {
            endRound(at: now, into: &actions)
            return
        }
        guard inFlight <= nextCheck else { return }
        // Asking which pages are dirty costs more than a step should; a few times a round suffice.
        nextCheck = inFlight - inFlight / 4
        guard
            configuration.convergence.isConverged(situation(dirty: 0, inFlight: inFlight, at: now))
        else { return }
        let dirty = changedPages(at: guestTime(at: now))
        let situation = situation(dirty: dirty.count, inFlight: inFlight, at: now)
        guard configuration.convergence.isConverged(situation) else { return }
        actions.emit(.round(session, finishedRound(at: now)))
        stop(.converged, dirty, at: now, into: &actions)
    }

    private mutating func endRound(at now: Instant, into actions: inout Actions<Node>) {
        actions.emit(.round(session, finishedRound(at: now)))
        let dirty = changedPages(at: guestTime(at: now))
        let allowed = configuration.convergence.progress.value * Double(previousDirty)
        // The image is not a dirty set: what was written while it left says nothing of a trend.
        let isStagnant = round.index > 0 && Double(dirty.count) > allowed
        stagnation = isStagnant ? stagnation + 1 : 0
        previousDirty = dirty.count
        let situation = situation(dirty: dirty.count, inFlight: 0, at: now)
        if let reason = configuration.convergence.reasonToStop(situation) {
            stop(reason, dirty, at: now, into: &actions)
        } else {
            begin(dirty, at: now)
            encodeMore(at: now, into: &actions)
        }
    }

    /// Pages whose content is not what was last sent.
    private func changedPages(at time: Instant) -> [Int] {
        order.memory.dirtyPages(after: round.guestStart, through: time).filter {
            order.memory.contentVersion(ofPage: $0, at: time) != sentVersions[$0]
        }
    }

    private func situation(
        dirty: Int,
        inFlight: Int,
        at now: Instant
    ) -> ConvergenceRule.Situation {
        let perPage = round.bytesPerPage ?? Double(Memory.pageSize)
        return ConvergenceRule.Situation(
            remaining: ByteCount(inFlight + Int((Double(dirty) * perPage).rounded(.up))),
            rate: rate.rate ?? averageRate(at: now),
            rounds: round.index + 1,
            sent: ByteCount(statistics.stateBytes),
            memory: order.memory.size,
            stagnation: stagnation
        )
    }

    /// For transfers too short for the meter: everything acknowledged since the start.
    private func averageRate(at now: Instant) -> BitRate? {
        let elapsed = (now - createdAt).seconds
        let bytes = sender.statistics.payloadBytes
        guard elapsed > 0, bytes > 0 else { return nil }
        return BitRate(bitsPerSecond: Int64(min(Double(bytes) * 8 / elapsed, 1e15)))
    }

    private mutating func begin(_ dirty: [Int], at now: Instant) {
        round = RoundProgress(
            index: round.index + 1,
            start: now,
            guestStart: guestTime(at: now),
            wireAtStart: wireBytes
        )
        pending = dirty
        cursor = 0
        nextCheck = Int.max
        rate.beginRound()
    }

    private mutating func stop(
        _ reason: StopReason,
        _ dirty: [Int],
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        begin(dirty, at: now)
        phase = .stopping
        stopReason = reason
        pausedAt = now
        actions.emit(.paused(session, reason))
        actions.compute(.guestDigest(order.memory, now), id: newJob())
        encodeMore(at: now, into: &actions)
        if isRoundSent { sendEnd(at: now) }
    }

    /// Sends what the destination compares its memory with, once it is known.
    private mutating func sendEnd(at now: Instant) {
        let end = MigrationConfiguration.endChunkSize
        guard let digest, sender.room >= end, sender.roomForChunks > 0 else { return }
        let chunk = MigrationChunk.end(batches: encoder.nextSequence, digest)
        // From here on the destination may start the guest.
        phase = .confirming
        sender.step(.requested(.enqueue(Payload(chunk.bytes))), at: now, into: &senderActions)
    }

    func finishedRound(at now: Instant) -> MigrationRound {
        MigrationRound(
            index: round.index,
            isStopAndCopy: pausedAt != nil,
            dirtyPages: round.pages,
            stateBytes: round.pages * Memory.pageSize,
            encodedBytes: round.encodedBytes,
            wireBytes: wireBytes - round.wireAtStart,
            start: round.start,
            end: now
        )
    }
}
