import NetworkModel
import SimulationKernel
import Testing

/// Goal: what moves through queues and rings stays small and trivial. Method: sizes.
@Suite struct LayoutTests {
    @Test func sizes() {
        #expect(MemoryLayout<Packet>.size == 64)
        #expect(MemoryLayout<NetworkEvent>.size <= 32)
        #expect(MemoryLayout<SimulationEvent>.size <= 32)
        #expect(MemoryLayout<QueuedEvent<SimulationEvent>>.stride <= 64)
    }
}
