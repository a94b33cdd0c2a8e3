import Determinism
import HardwareModel
import Units

/// What faults are doing to one node's disk at present, in the order in which they began.
struct ActiveDiskFaults {
    private(set) var entries: [Entry] = []

    struct Entry {
        let number: Int
        let fault: DiskFault
        /// Bytes given to the disk since.
        var written = 0
    }

    var isEmpty: Bool { entries.isEmpty }

    mutating func begin(_ fault: DiskFault, number: Int) {
        precondition(fault.isValid, "fault \(number) is out of bounds: \(fault)")
        entries.append(Entry(number: number, fault: fault))
    }

    /// Forgets one fault; `false` when it did nothing here.
    mutating func end(number: Int) -> Bool {
        let count = entries.count
        entries.removeAll { $0.number == number }
        return entries.count < count
    }

    /// What all faults together add to each batch.
    var added: Interval {
        entries.reduce(.zero) { sum, entry in
            if case .latency(let added, _) = entry.fault { sum + added } else { sum }
        }
    }

    /// How many times slower all faults together make the disk.
    var slowdown: Double {
        entries.reduce(1) { product, entry in
            if case .latency(_, let slowdown) = entry.fault { product * slowdown } else { product }
        }
    }
}

extension ActiveDiskFaults {
    /// Why a batch of as many bytes cannot become durable, and the fault that is to blame; draws once
    /// for each fault that fails by chance.
    mutating func failure(
        ofBytes count: Int,
        _ random: inout SeededRandom
    ) -> (kind: StorageFact.Kind, number: Int)? {
        var result: (kind: StorageFact.Kind, number: Int)?
        for position in entries.indices {
            let kind: StorageFact.Kind
            switch entries[position].fault {
            case .full(let remaining):
                entries[position].written += count
                guard entries[position].written > remaining.bytes else { continue }
                kind = .full
            case .error(let operation, let probability):
                guard random.chance(probability) else { continue }
                kind = .failed(operation)
            case .latency, .tornWrites, .lostSyncs, .bitRot, .misdirected:
                continue
            }
            result = result ?? (kind, entries[position].number)
        }
        return result
    }

    /// Whether the disk lies about a batch; draws once for each such fault.
    func liesAboutSync(_ random: inout SeededRandom) -> Bool {
        entries.reduce(false) { lies, entry in
            guard case .lostSyncs(let probability) = entry.fault else { return lies }
            return random.chance(probability) || lies
        }
    }

    /// Whether a sector of a batch goes astray; draws once for each such fault.
    func misdirects(_ random: inout SeededRandom) -> Bool {
        entries.reduce(false) { astray, entry in
            guard case .misdirected(let probability) = entry.fault else { return astray }
            return random.chance(probability) || astray
        }
    }

    /// Whether a crash may keep a part of what is being written.
    var tearsWrites: Bool {
        entries.contains { if case .tornWrites = $0.fault { true } else { false } }
    }

    /// The probabilities with which stored bytes rot.
    var rot: [Ratio] {
        entries.compactMap { if case .bitRot(let rate) = $0.fault { rate } else { nil } }
    }
}
