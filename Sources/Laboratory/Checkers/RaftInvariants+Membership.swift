import Units

/// A membership as a node told it, and where in the log it comes from.
struct KnownMembership: Hashable, Sendable {
    var index: UInt64
    var voters: [NodeID]
    var outgoing: [NodeID]
    var learners: [NodeID]
    var witnesses: [NodeID] = []

    /// Whether the same nodes take part in the same parts.
    func isEqual(to other: KnownMembership) -> Bool {
        voters == other.voters && outgoing == other.outgoing
            && learners == other.learners && witnesses == other.witnesses
    }
}

/// The memberships that one node's log holds, as it told them.
struct KnownMemberships: Sendable {
    /// By ascending index; those that were committed here are left out, except the last.
    private(set) var listed: [KnownMembership] = []
    /// The membership in effect is gone, and the next thing to hear is which one takes its place.
    var isOwed = false

    mutating func append(_ membership: KnownMembership) {
        isOwed = false
        listed.removeAll { $0.index >= membership.index }
        listed.append(membership)
    }

    mutating func truncate(from index: UInt64) {
        guard let last = listed.last, last.index >= index else { return }
        listed.removeAll { $0.index >= index }
        isOwed = true
    }

    /// A snapshot took the place of the log.
    mutating func install() {
        listed = []
        isOwed = true
    }

    /// Takes out those up to `index`, except the last of them.
    mutating func commit(upTo index: UInt64) -> [KnownMembership] {
        let committed = listed.filter { $0.index <= index }
        if committed.count > 1 { listed.removeFirst(committed.count - 1) }
        return committed
    }
}

/// Who takes part.
extension RaftInvariants {
    /// Memberships that are remembered; what is older is not compared.
    private static let membershipLimit = 4_096

    /// A node goes by a membership from now on.
    mutating func goBy(_ membership: KnownMembership, _ slot: Int, _ time: Instant) {
        let node = nodes[slot]
        if node.leads > 0, membership.index == node.log.last, membership.index > 0 {
            checkOrder(membership, slot, time)
        }
        nodes[slot].memberships.append(membership)
        if membership.index == 0, committedMemberships.isEmpty, !membership.voters.isEmpty {
            // The group begins with it.
            committedMemberships.append(membership)
        }
        // It came with a snapshot, or what was thrown away had covered it.
        if node.memberships.isOwed, membership.index > 0, membership.index <= node.log.base {
            compare(membership, slot, time)
        }
    }

    /// A leader has appended a membership.
    private mutating func checkOrder(
        _ membership: KnownMembership,
        _ slot: Int,
        _ time: Instant
    ) {
        let node = nodes[slot]
        let place = "index \(membership.index), committed up to \(node.committed)"
        if let before = node.memberships.listed.last, before.index > node.committed {
            report(
                .changedTwice,
                slot,
                time,
                [before.index, membership.index],
                "\(place), the change before at index \(before.index)"
            )
        } else if let term = node.log.term(at: node.committed), term != node.leads {
            report(
                .changedBeforeCommit,
                slot,
                time,
                [node.committed, membership.index],
                "\(place) of term \(term), it leads term \(node.leads)"
            )
        }
    }

    /// Memberships become committed on a node.
    mutating func commitMemberships(_ slot: Int, upTo index: UInt64, _ time: Instant) {
        for membership in nodes[slot].memberships.commit(upTo: index) where membership.index > 0 {
            let last = committedMemberships.last?.index ?? 0
            if membership.index > last {
                committedMemberships.append(membership)
                if committedMemberships.count > RaftInvariants.membershipLimit {
                    committedMemberships.removeFirst(RaftInvariants.membershipLimit / 2)
                }
            } else {
                compare(membership, slot, time)
            }
        }
    }

    /// Holds a committed membership of a node against what others committed.
    private mutating func compare(
        _ membership: KnownMembership,
        _ slot: Int,
        _ time: Instant
    ) {
        guard let other = committedMemberships.last(where: { $0.index <= membership.index }),
            !other.isEqual(to: membership)
        else { return }
        report(
            .membershipDiffers,
            slot,
            time,
            [other.index, membership.index].sorted(),
            "index \(membership.index), voters \(membership.voters), where \(other.voters) vote "
                + "since index \(other.index)"
        )
    }

    /// The node's entries with the membership in effect are gone, and it goes on as if nothing was.
    mutating func checkOwedMembership(
        _ slot: Int,
        _ observation: RaftObservation,
        _ time: Instant
    ) {
        guard nodes[slot].memberships.isOwed else { return }
        switch observation {
        case .configuration, .recovered, .crashed, .lostDurable, .snapshotInstalled, .truncated,
            .enteredTerm:
            return
        case .voted, .becameLeader, .ceasedToLead, .appended, .persisted, .committed, .applied,
            .snapshotTaken:
            nodes[slot].memberships.isOwed = false
            report(.membershipGone, slot, time, [], "the log ends at \(nodes[slot].log.last)")
        }
    }
}
