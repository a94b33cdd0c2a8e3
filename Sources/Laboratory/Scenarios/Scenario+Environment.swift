public import Measurements

extension Scenario {
    /// Why these runs cannot be had there; `nil` when they can.
    public func obstacle(on environment: EnvironmentKind) -> String? {
        if case .boot(let workload) = workload, let obstacle = workload.obstacle(on: environment) {
            return obstacle
        }
        guard let variant = variants.first(where: \.system.transport.tls) else { return nil }
        return switch environment {
        case .sockets: nil
        case .simulated:
            "variant '\(variant.name)' has 'tls: true', and TLS is not modelled in simulation: "
                + "run it with --on sockets"
        case .rdma:
            "variant '\(variant.name)' has 'tls: true', and streams over RDMA have no TLS: "
                + "run it with --on sockets"
        }
    }
}
