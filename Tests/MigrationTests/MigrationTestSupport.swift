import DeltaEncoding
import Machines
import Migration
import StreamWorld
import Transport
import Units

let source = NodeID(0)
let destination = NodeID(1)

func migrationConfiguration(
    streams: Int = 4,
    encoding: EncodingConfiguration = .init(form: .hierarchical, compression: .level1),
    pagesPerBatch: Int = 16,
    rule: ConvergenceRule = ConvergenceRule(downtimeGoal: .milliseconds(50)),
    concurrency: Int = 1
) -> MigrationConfiguration {
    var transport = TransportConfiguration(
        link: LinkEstimate(rate: .megabits(800), rtt: .milliseconds(10)),
        streams: .fixed(streams)
    )
    transport.window = 256 << 10
    transport.sendBuffer = 256 << 10
    transport.retryPause = .milliseconds(20)
    transport.retryPauseLimit = .milliseconds(200)
    transport.stallLimit = .seconds(5)
    return MigrationConfiguration(
        transport: transport,
        encoding: encoding,
        pagesPerBatch: pagesPerBatch,
        convergence: rule,
        concurrency: concurrency
    )
}

extension StreamWorld {
    /// Starts a migration node; orders are carried out at once.
    mutating func startNode<Memory: GuestMemory>(
        _ node: NodeID,
        incarnation: UInt32 = 0,
        _ configuration: MigrationConfiguration,
        _ orders: [MigrationOrder<Memory>] = []
    ) where Program == MigrationNode<Memory> {
        let birth = Birth<MigrationNode<Memory>>(
            node: node,
            incarnation: incarnation,
            recovered: [],
            seed: 1
        )
        start(node, MigrationNode(birth, configuration: configuration, orders: orders))
    }

    /// When a guest was stopped at the source.
    func pauses<Memory>(of session: SessionID) -> [Instant]
    where Program == MigrationNode<Memory> {
        events.compactMap { entry in
            guard case .paused(session, _) = entry.event else { return nil }
            return entry.at
        }
    }

    /// When a guest began to run at the destination.
    func arrivals<Memory>(of session: SessionID) -> [Instant]
    where Program == MigrationNode<Memory> {
        events.compactMap { entry in
            entry.event == .running(session) ? entry.at : nil
        }
    }

    func summaries<Memory>() -> [(session: SessionID, at: Instant, summary: MigrationSummary)]
    where Program == MigrationNode<Memory> {
        events.compactMap { entry in
            guard case .completed(let session, let summary) = entry.event else { return nil }
            return (session, entry.at, summary)
        }
    }

    func failures<Memory>(at node: NodeID) -> [MigrationFailure]
    where Program == MigrationNode<Memory> {
        events.compactMap { entry in
            guard entry.node == node, case .failed(_, let failure) = entry.event else { return nil }
            return failure
        }
    }

    func rounds<Memory>() -> [MigrationRound] where Program == MigrationNode<Memory> {
        events.compactMap { entry in
            guard case .round(_, let round) = entry.event else { return nil }
            return round
        }
    }

    /// Whether the destination holds, page for page, what the guest held when it was stopped.
    func isIdentical<Memory>(_ memory: Memory, session: SessionID, at node: NodeID) -> Bool
    where Program == MigrationNode<Memory> {
        guard let time = pauses(of: session).last,
            let table = hosts[Int(node.rawValue)].machine?.memory(of: session)
        else { return false }
        return (0..<memory.pageCount).allSatisfy { index in
            table[PageNumber(UInt32(index))] == memory.page(index, at: time)
        }
    }
}
