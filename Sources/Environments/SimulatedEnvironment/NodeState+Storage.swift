import HardwareModel
import Machines
import Units

extension NodeState {
    /// Why the disk fails a batch, and the fault that is to blame; `nil` when it does not.
    mutating func failure(ofWrite slot: UInt32) -> (kind: StorageFact.Kind, number: Int)? {
        checkOrder(writing[slot])
        return diskFaults.failure(ofBytes: log.sizeOfOldest, &diskRandom)
    }

    /// Takes a batch as acknowledged, in the way that the disk's faults want it.
    mutating func finish(write slot: UInt32) -> (id: WriteID, lies: Bool, strays: Bool) {
        let entry = writing.take(slot)
        checkOrder(entry)
        oldestWrite += 1
        guard !diskFaults.isEmpty else {
            log.acknowledge()
            return (entry.id, false, false)
        }
        let lies = diskFaults.liesAboutSync(&diskRandom)
        let strays = diskFaults.misdirects(&diskRandom)
        if strays { log.layOut() }
        log.acknowledge(isSynced: !lies)
        if strays { log.misdirect(&diskRandom) }
        return (entry.id, lies, strays)
    }

    /// What the log acknowledges is its oldest batch: the disk must be done with that first.
    private func checkOrder(_ entry: Writing) {
        precondition(
            entry.number == oldestWrite,
            "batch \(entry.number) is done before batch \(oldestWrite)"
        )
    }

    /// What a crash leaves of batches that are not durable.
    mutating func loseUnsynced(tearing: Bool) {
        log.crash(tearing: tearing || diskFaults.tearsWrites, &diskRandom)
        oldestWrite = writes
    }

    /// Lets stored bytes rot; gives the number of bits that flipped.
    mutating func rot(_ probability: Ratio) -> Int { log.rot(probability, &diskRandom) }
}
