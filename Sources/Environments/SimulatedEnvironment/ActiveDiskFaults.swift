import HardwareModel
import Units

/// What faults are doing to one node's disk at present, in the order in which they began.
struct ActiveDiskFaults {
    private(set) var entries: [(number: Int, fault: DiskFault)] = []

    var isEmpty: Bool { entries.isEmpty }

    mutating func begin(_ fault: DiskFault, number: Int) {
        precondition(fault.isValid, "fault \(number) is out of bounds: \(fault)")
        entries.append((number, fault))
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
