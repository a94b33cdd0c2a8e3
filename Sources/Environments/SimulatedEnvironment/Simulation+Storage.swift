import Determinism
import HardwareModel
import Machines
import NetworkModel
import RecordLog
import SimulationKernel
import Units

extension SimulatedMedium {
    /// Gives a batch to the disk.
    ///
    /// - Returns: When the batch is durable.
    mutating func persist(
        _ records: [Program.Write],
        _ id: WriteID,
        on index: Int
    ) -> Instant {
        let size = nodes[index].log.write(records)
        let durable = nodes[index].disk.persist(ByteCount(size), at: now)
        let slot = nodes[index].writing.insert(
            NodeState.Writing(number: nodes[index].writes, id: id, token: .none)
        )
        nodes[index].writes += 1
        let event = LocalEvent(
            kind: LocalKind.write.rawValue,
            node: UInt32(index),
            first: slot,
            second: nodes[index].incarnation
        )
        nodes[index].writing[slot].token = schedule(event, at: durable, on: index)
        return durable
    }
}

extension Simulation {
    // MARK: Writing

    /// A batch is durable, or its disk fails it.
    mutating func finishWrite(_ slot: UInt32, on index: Int) {
        if !medium.nodes[index].diskFaults.isEmpty,
            let failure = medium.nodes[index].failure(ofWrite: slot)
        {
            report(failure.kind, on: index)
            // The batch still waits, so that the crash tears it.
            crash(NodeID(UInt32(index)), number: failure.number, tearing: true)
            return
        }
        let written = medium.nodes[index].finish(write: slot)
        if written.lies { report(.lied, on: index) }
        if written.strays { report(.misdirected, on: index) }
        deliver(.persisted(written.id), .persisted, digest: written.id.rawValue, to: index)
    }

    // MARK: Restart

    /// The records that a new incarnation is born with; `nil` when what the disk holds keeps the node
    /// down.
    mutating func recoverRecords(of index: Int) -> [Program.Write]? {
        recoveries += 1
        for probability in medium.nodes[index].diskFaults.rot { rot(probability, on: index) }
        let recovered: SimulatedLog.Recovered
        do throws(RecoveryFailure) {
            recovered = try medium.nodes[index].log.recover()
        } catch {
            report(.refused(error), on: index)
            return nil
        }
        if !recovered.repairs.isEmpty { report(.repaired(recovered.repairs), on: index) }
        if recovered.lostBatches > 0 {
            report(.forgot(batches: recovered.lostBatches), on: index)
            // Where no fault can have taken them, the loss is the log's own doing.
            if medium.nodes[index].hasFaithlessDisk {
                let node = NodeID(UInt32(index))
                observer.observe(incident: .lostDurable, on: node, at: medium.now)
            }
        }
        var records: [Program.Write] = []
        records.reserveCapacity(recovered.records.count)
        for bytes in recovered.records {
            do throws(WireError) {
                var reader = WireReader(bytes)
                records.append(try Program.Write(from: &reader))
            } catch {
                report(.undecodable(record: records.count, error), on: index)
                return nil
            }
        }
        return records
    }

    // MARK: Faults

    mutating func begin(_ fault: DiskFault, number: Int, on index: Int) {
        medium.nodes[index].diskFaults.begin(fault, number: number)
        medium.nodes[index].hasFaithlessDisk =
            medium.nodes[index].hasFaithlessDisk || fault.losesData
        refreshDisk(index)
        if case .bitRot(let probability) = fault { rot(probability, on: index) }
    }

    /// Ends what the fault does to disks, and starts the nodes that it had stopped.
    mutating func healDisks(number: Int) {
        for index in medium.nodes.indices
        where medium.nodes[index].diskFaults.end(number: number) {
            refreshDisk(index)
            guard medium.nodes[index].downBy.contains(number) else { continue }
            restart(NodeID(UInt32(index)), number: number)
        }
    }

    private mutating func rot(_ probability: Ratio, on index: Int) {
        let bits = medium.nodes[index].rot(probability)
        if bits > 0 { report(.rotted(bits: bits), on: index) }
    }

    /// Gives a disk the speed that all faults together leave it.
    private mutating func refreshDisk(_ index: Int) {
        medium.nodes[index].disk.slowdown = medium.nodes[index].diskFaults.slowdown
        medium.nodes[index].disk.added = medium.nodes[index].diskFaults.added
    }

    private mutating func report(_ kind: StorageFact.Kind, on index: Int) {
        storageFacts.append(
            StorageFact(node: NodeID(UInt32(index)), time: medium.now, kind: kind)
        )
        medium.nodes[index].chain.combine(medium.now.nanoseconds)
        medium.nodes[index].chain.combine("\(kind)")
    }
}
