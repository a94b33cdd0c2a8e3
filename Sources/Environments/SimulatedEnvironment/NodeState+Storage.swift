import HardwareModel
import Machines
import Units

extension NodeState {
    /// Why the disk fails a batch, and the fault that is to blame; `nil` when it does not.
    mutating func failure(ofWrite slot: UInt32) -> (kind: StorageFact.Kind, number: Int)? {
        let size = writing[slot].batch.records.reduce(0) { $0 + $1.count }
        return diskFaults.failure(ofBytes: size, &diskRandom)
    }

    /// Takes a batch as acknowledged, in the way that the disk's faults want it.
    mutating func finish(write slot: UInt32) -> (id: WriteID, lies: Bool, strays: Bool) {
        let entry = writing.take(slot)
        guard !diskFaults.isEmpty else {
            log.append(entry.batch)
            return (entry.id, false, false)
        }
        let lies = diskFaults.liesAboutSync(&diskRandom)
        let strays = diskFaults.misdirects(&diskRandom)
        if strays { log.layOut() }
        log.append(entry.batch, isSynced: !lies)
        if strays { log.misdirect(&diskRandom) }
        return (entry.id, lies, strays)
    }

    /// What a crash leaves of batches that are not durable. The disk writes one after another, so only
    /// the oldest has been begun.
    mutating func loseUnsynced(tearing: Bool) {
        var oldest: Writing?
        if tearing || diskFaults.tearsWrites {
            for slot in writing.occupied {
                let entry = writing[slot]
                if oldest.map({ entry.number < $0.number }) ?? true { oldest = entry }
            }
        }
        log.crash(torn: oldest?.batch, &diskRandom)
    }

    /// Lets stored bytes rot; gives the number of bits that flipped.
    mutating func rot(_ probability: Ratio) -> Int { log.rot(probability, &diskRandom) }
}
