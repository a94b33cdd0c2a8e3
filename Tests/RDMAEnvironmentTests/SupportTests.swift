import RDMAEnvironment
import Testing

// Goal: the laboratory says what a machine has for RDMA, and nothing is usable that cannot carry
// bytes. Method: what the library may find, in words; then this machine, which may have anything.
@Suite("What there is for RDMA")
struct SupportTests {
    @Test func words() {
        let active = RDMAPort.State(isActive: true, linkLayer: .ethernet, mtu: 1_024)
        let idle = RDMAPort.State(isActive: false, linkLayer: .infiniBand, mtu: 4_096)
        let cases: [(RDMASupport, Bool, String)] = [
            (
                .noLibrary, false,
                "no RDMA device: libibverbs is not installed (package libibverbs1)"
            ),
            (.noDevice, false, "no RDMA device"),
            (
                .devices([RDMAPort(device: "rxe0", state: active)]), true,
                "rxe0 (Ethernet, active, MTU 1024)"
            ),
            (
                .devices([RDMAPort(device: "mlx5_0", state: idle), RDMAPort(device: "mlx5_1")]),
                false, "mlx5_0 (InfiniBand, not active, MTU 4096), mlx5_1 (cannot be opened)"
            ),
        ]
        for (support, isUsable, text) in cases {
            #expect(support.isUsable == isUsable)
            #expect(support.text == text)
        }
    }

    @Test func thisMachineAnswers() {
        let support = RDMASupport.current
        #expect(!support.text.isEmpty)
        #expect(support.isUsable || !support.text.contains(", active"))
    }
}
