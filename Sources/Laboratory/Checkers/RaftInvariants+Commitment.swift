import Units

/// What becomes committed, and what is applied.
extension RaftInvariants {
    mutating func commit(_ slot: Int, _ index: UInt64, _ time: Instant) {
        let node = nodes[slot]
        guard index > node.committed else { return }
        nodes[slot].committed = index
        guard index <= node.log.last else {
            report(
                .committedBeyondLog,
                slot,
                time,
                [node.log.last, index],
                "index \(index), the log ends at \(node.log.last)"
            )
            return
        }
        let known = min(index, committed)
        if let mark = committedMark(known), let own = node.log.entries[known], own != mark {
            report(
                .committedDifferently,
                slot,
                time,
                [known],
                "index \(known), terms \(mark.term) and \(own.term)"
            )
        }
        commitMemberships(slot, upTo: index, time)
        guard index > committed else { return }
        checkQuorum(slot, index, time)
        for position in (committed + 1)...index {
            // Below a snapshot the entry is unknown; its place is kept.
            committedMarks.append(
                node.log.entries[position] ?? RaftMark(term: 0, digest: 0)
            )
        }
        setCommitted(index, by: node.leads)
        checkLaterLeaders(slot, index, time)
    }

    /// An index that no node knew to be committed before.
    private mutating func checkQuorum(_ slot: Int, _ index: UInt64, _ time: Instant) {
        let node = nodes[slot]
        guard let mark = node.log.entries[index] else { return }
        if node.leads > 0, mark.term != node.leads {
            report(
                .otherTerm,
                slot,
                time,
                [index],
                "index \(index) of term \(mark.term) by the leader of term \(node.leads)"
            )
        }
        guard !node.voters.isEmpty else { return }
        for voters in [node.voters, node.outgoing] where !voters.isEmpty {
            let majority = voters.count / 2 + 1
            let having = voters.filter { has($0, index, mark, isDurable: false) }.count
            let durable = voters.filter { has($0, index, mark, isDurable: true) }.count
            if having < majority {
                let share = "index \(index), \(having) of \(voters.count) voters"
                report(.noQuorumHasIt, slot, time, [index], share)
            } else if durable < majority {
                let share = "index \(index), \(durable) of \(voters.count) voters"
                report(.noQuorumPersisted, slot, time, [index], share)
            }
            checkZones(voters, slot, index, mark, time)
        }
    }

    /// Whether copies lie in two zones, where voters that hold commands do.
    private mutating func checkZones(
        _ voters: [Int],
        _ slot: Int,
        _ index: UInt64,
        _ mark: RaftMark,
        _ time: Instant
    ) {
        guard !zones.isEmpty else { return }
        let witnesses = nodes[slot].witnesses
        let zoned = voters.compactMap { voter in
            witnesses.contains(nodes[voter].id)
                ? nil : zones[nodes[voter].id].map { (voter: voter, zone: $0) }
        }
        guard Set(zoned.map(\.zone)).count > 1 else { return }
        let having = zoned.filter { has($0.voter, index, mark, isDurable: true) }
        guard Set(having.map(\.zone)).count < 2 else { return }
        let place = having.first.map { "zone \($0.zone)" } ?? "no zone"
        report(.oneZoneHasIt, slot, time, [index], "index \(index), \(place) alone")
    }

    private func has(_ slot: Int, _ index: UInt64, _ mark: RaftMark, isDurable: Bool) -> Bool {
        let node = nodes[slot]
        if index <= node.log.base { return true }
        // Of a node that is down only the disk counts.
        if isDurable || !node.isAlive, index > node.log.durable { return false }
        return node.log.entries[index] == mark
    }

    /// A deposed leader may learn late that an entry is committed. Leaders of higher terms must
    /// have had it when they were elected.
    private mutating func checkLaterLeaders(_ slot: Int, _ index: UInt64, _ time: Instant) {
        let term = nodes[slot].leads
        guard term > 0 else { return }
        for other in nodes.indices where nodes[other].leads > term {
            checkCompleteness(other, upTo: index, time)
        }
    }

    mutating func apply(_ slot: Int, _ index: UInt64, _ mark: RaftMark, _ time: Instant) {
        let node = nodes[slot]
        if index != node.applied + 1 {
            let order = "index \(index) after \(node.applied)"
            report(.appliedOutOfOrder, slot, time, [node.applied, index].sorted(), order)
        }
        nodes[slot].applied = index
        if index > node.committed {
            let order = "index \(index), committed up to \(node.committed)"
            report(.appliedUncommitted, slot, time, [node.committed, index], order)
        }
        let before = appliedMarks[index] ?? node.log.entries[index]
        if let before, before != mark {
            let terms = "index \(index), of term \(mark.term), elsewhere of term \(before.term)"
            report(.appliedDifferently, slot, time, [index], terms)
        }
        // Where the log knows better, what was applied by mistake is not what others are held to.
        if index == appliedMarks.last + 1 {
            appliedMarks.append(node.log.entries[index] ?? mark)
        }
    }

    mutating func install(_ slot: Int, _ index: UInt64, _ term: UInt64, _ time: Instant) {
        let node = nodes[slot]
        if let mark = committedMark(index), mark.term != term {
            let terms = "index \(index), terms \(mark.term) and \(term) of a snapshot"
            report(.committedDifferently, slot, time, [index], terms)
        }
        nodes[slot].log.installSnapshot(upTo: index, term: term)
        nodes[slot].committed = max(node.committed, index)
        nodes[slot].applied = max(node.applied, index)
        nodes[slot].memberships.install()
        forgetOld()
    }
}
