import Determinism
import Machines
import ReplicatedStore
import Scenarios
import Units

/// Draws what clients ask one group for, and when: a stream of its own for each node and group, so
/// that no answer moves a later request.
struct RequestLoad: Sendable {
    private let load: Scenario.RequestWorkload.Load
    /// Requests a second from this node to this group.
    private let rate: Double
    private var arrivals: SeededRandom
    private var choices: SeededRandom
    /// What the values of this node begin with; the next value adds a number to it.
    private let prefix: String
    private var written: UInt64 = 0
    /// Of the first keys, which are asked for again and again.
    private let keys: [Bytes]
    private(set) var due = Instant.zero

    /// - Parameter share: of the group's load, in 0...1.
    init(
        _ load: Scenario.RequestWorkload.Load,
        share: Double,
        seed: UInt64,
        node: NodeID,
        group: UInt32,
        incarnation: UInt32
    ) {
        func stream(_ purpose: StaticString) -> SeededRandom {
            SeededRandom(
                seed: seed,
                entity: EntityID(node),
                purpose: purpose,
                incarnation: incarnation | group << 16
            )
        }
        self.load = load
        rate = load.rate * share
        arrivals = stream("arrivals")
        choices = stream("requests")
        prefix = "\(node.rawValue).\(incarnation)."
        keys = (0..<min(load.keys, 256)).map { RequestLoad.key($0) }
    }

    /// Moves `due` to the next request's time.
    mutating func advance() {
        let distance: Double
        switch load.arrival {
        case .poisson: distance = arrivals.exponential(mean: 1 / rate)
        case .constant: distance = 1 / rate
        }
        due = due + max(.nanoseconds(1), Interval(seconds: distance))
    }

    mutating func begin(at now: Instant) { due = now }

    /// The next request.
    ///
    /// - Parameter known: what the asking session last knew of a key, which a swap expects.
    mutating func command(known: (Int) -> Bytes?) -> (key: Int, command: StoreCommand) {
        let place = Int(choices.below(UInt64(load.keys)))
        let key = place < keys.count ? keys[place] : RequestLoad.key(place)
        var point = choices.unit()
        var operation = load.mix[load.mix.count - 1].operation
        for share in load.mix {
            guard point >= share.share.value else {
                operation = share.operation
                break
            }
            point -= share.share.value
        }
        switch operation {
        case .get: return (place, .get(key: key))
        case .put: return (place, .put(key: key, value: value()))
        case .cas:
            return (
                place, .compareAndSet(key: key, expected: known(place), value: value())
            )
        case .append: return (place, .append(key: key, value: value()))
        case .delete: return (place, .delete(key: key))
        case .scan: return (place, .scan(start: key, limit: RequestLoad.scanLength))
        }
    }

    static let scanLength: UInt16 = 4

    static func key(_ place: Int) -> Bytes { Array("key \(place)".utf8)[...] }

    /// A value that no other request writes, so that every answer says which write it saw.
    private mutating func value() -> Bytes {
        written += 1
        var bytes = Array("\(prefix)\(written)".utf8)
        let length = Int(load.value.bytes)
        if bytes.count < length {
            bytes.append(contentsOf: repeatElement(UInt8(ascii: "."), count: length - bytes.count))
        }
        return bytes[...]
    }
}
