public import Effects

/// Random bytes of the system's generator (getrandom).
public struct HostSecrets: SecretSource {
    public init() {}

    public func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
