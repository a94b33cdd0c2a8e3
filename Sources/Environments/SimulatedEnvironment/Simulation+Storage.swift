import HardwareModel
import Units

extension Simulation {
    mutating func begin(_ fault: DiskFault, number: Int, on index: Int) {
        medium.nodes[index].diskFaults.begin(fault, number: number)
        refreshDisk(index)
    }

    /// Ends what the fault does to disks.
    mutating func healDisks(number: Int) {
        for index in medium.nodes.indices
        where medium.nodes[index].diskFaults.end(number: number) {
            refreshDisk(index)
        }
    }

    /// Gives a disk the speed that all faults together leave it.
    private mutating func refreshDisk(_ index: Int) {
        medium.nodes[index].disk.slowdown = medium.nodes[index].diskFaults.slowdown
        medium.nodes[index].disk.added = medium.nodes[index].diskFaults.added
    }
}
