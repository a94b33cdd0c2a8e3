import HardwareModel
import Machines
import NetworkModel
import SimulatedEnvironment
import SimulationKernel
import Units

/// A machine that writes numbered batches without pause, goes on after a restart behind what it
/// recovered, and tells what it is told.
struct Keeper: Machine {
    typealias Write = Share
    typealias Timer = Int
    enum Event: Equatable {
        case started([UInt64])
        case persisted(UInt64)
        /// At the end: the number of the batch that would come next.
        case closed(next: UInt64)
    }

    /// One record of a batch; every record has the batch's number.
    struct Share: DurableRecord {
        var batch: UInt64
        var filling: [UInt8]
        var supersedesEarlier: Bool

        func encode(into writer: inout WireWriter) {
            writer.write(batch)
            writer.write(UInt8(supersedesEarlier ? 1 : 0))
            writer.write(lengthPrefixed: filling)
        }

        init(batch: UInt64, filling: [UInt8], supersedesEarlier: Bool) {
            self.batch = batch
            self.filling = filling
            self.supersedesEarlier = supersedesEarlier
        }

        init(from reader: inout WireReader) throws(WireError) {
            batch = try reader.read()
            supersedesEarlier = try reader.read(UInt8.self) == 1
            filling = Array(try reader.readLengthPrefixed(limit: 1 << 16))
        }
    }

    let birth: Birth<Keeper>
    /// Every so many batches one supersedes the earlier ones.
    let compaction: UInt64
    /// Records of each batch.
    static let shares = 3

    private var next: UInt64 = 1

    init(_ birth: Birth<Keeper>, compaction: UInt64) {
        self.birth = birth
        self.compaction = compaction
    }

    mutating func step(
        _ input: Input<Keeper>,
        at now: Instant,
        into actions: inout Actions<Keeper>
    ) {
        switch input {
        case .started:
            actions.emit(.started(birth.recovered.map(\.batch)))
            next = (birth.recovered.last?.batch ?? 0) + 1
            // Two at a time, so that a crash finds one begun and one waiting.
            for _ in 0..<2 { write(&actions) }
        case .persisted(let id):
            actions.emit(.persisted(id.rawValue))
            write(&actions)
        default:
            break
        }
    }

    var closingEvents: [Event] { [.closed(next: next)] }

    private mutating func write(_ actions: inout Actions<Keeper>) {
        let size = Int(next * 7 % 5) * 500
        actions.persist(
            (0..<Keeper.shares).map { place in
                Share(
                    batch: next,
                    filling: Array(repeating: UInt8(next % 3), count: size),
                    supersedesEarlier: place == 0 && next % compaction == 0
                )
            },
            id: WriteID(next)
        )
        next += 1
    }
}

struct KeeperListener: RunObserver {
    typealias Program = Keeper
    var story: [(event: Keeper.Event, time: Instant)] = []
    var incidents: [(incident: NodeIncident, time: Instant)] = []
    let isFinished = false

    mutating func observe(incident: NodeIncident, on node: NodeID, at time: Instant) {
        incidents.append((incident, time))
    }

    mutating func observe(_ event: Keeper.Event, on node: NodeID, at time: Instant) {
        story.append((event, time))
    }

    /// What each life recovered, and the last batch that the life before it was told is durable.
    var lives: [(recovered: [UInt64], acknowledged: UInt64)] {
        var result: [(recovered: [UInt64], acknowledged: UInt64)] = []
        var last: UInt64 = 0
        for entry in story {
            switch entry.event {
            case .started(let recovered): result.append((recovered, last))
            case .persisted(let batch): last = batch
            case .closed: break
            }
        }
        return result
    }
}

/// One node that keeps batches for two seconds.
func keeper(
    seed: UInt64,
    compaction: UInt64 = 17,
    faults: [SimulationPlan.ScheduledFault]
) -> Simulation<KeeperListener> {
    Simulation(
        plan(nodes: [0], seed: seed, until: at(2_000), faults: faults),
        observer: KeeperListener()
    ) { Keeper($0, compaction: compaction) }
}
