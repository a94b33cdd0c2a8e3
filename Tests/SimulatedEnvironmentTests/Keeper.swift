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

    /// How a keeper writes.
    struct Habit {
        /// Every so many batches one supersedes the earlier ones.
        var compaction: UInt64 = 17
        /// Which record of such a batch does.
        var supersedingShare = 0
        /// Batches given to the disk at a time: by default two, so that a crash finds one begun and one waiting.
        var inFlight = 2

        func shares(of batch: UInt64) -> [Share] {
            let size = Int(batch * 7 % 5) * 500
            return (0..<Keeper.shares).map { place in
                Share(
                    batch: batch,
                    filling: Array(repeating: UInt8(batch % 3), count: size),
                    supersedesEarlier: place == supersedingShare && batch % compaction == 0
                )
            }
        }

        /// What of a batch is written: records that one of the same batch supersedes are not.
        func written(of batch: UInt64) -> [Share] {
            let all = shares(of: batch)
            let first = all.lastIndex { $0.supersedesEarlier } ?? 0
            return Array(all[first...])
        }

        /// The batch of each record that is there when the last batch is `last`.
        func kept(through last: UInt64) -> [UInt64] {
            guard last > 0 else { return [] }
            let first = max(1, last / compaction * compaction)
            return (first...last).flatMap { written(of: $0).map(\.batch) }
        }
    }

    let birth: Birth<Keeper>
    let habit: Habit
    /// Records of each batch.
    static let shares = 3

    private var next: UInt64 = 1

    init(_ birth: Birth<Keeper>, _ habit: Habit) {
        self.birth = birth
        self.habit = habit
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
            for _ in 0..<habit.inFlight { write(&actions) }
        case .persisted(let id):
            actions.emit(.persisted(id.rawValue))
            write(&actions)
        default:
            break
        }
    }

    var closingEvents: [Event] { [.closed(next: next)] }

    private mutating func write(_ actions: inout Actions<Keeper>) {
        actions.persist(habit.shares(of: next), id: WriteID(next))
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
    _ habit: Keeper.Habit = Keeper.Habit(),
    faults: [SimulationPlan.ScheduledFault]
) -> Simulation<KeeperListener> {
    Simulation(
        plan(nodes: [0], seed: seed, until: at(2_000), faults: faults),
        observer: KeeperListener()
    ) { Keeper($0, habit) }
}
