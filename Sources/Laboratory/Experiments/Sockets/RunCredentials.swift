import Effects
import Foundation
import NodePlatform
import SocketEnvironment
import Units

/// What a node of a run shows to its peers and whom it trusts; in PEM. It never touches a disk: the
/// laboratory hands it to the node's process.
public struct StreamCredentials: Sendable, Codable {
    var certificate: String
    var key: String
    var authorities: String

    init(_ identity: TLSIdentity) {
        certificate = identity.certificateChain
        key = identity.privateKey
        authorities = identity.clientAuthorities ?? ""
    }

    func security() throws(SocketFailure) -> StreamSecurity {
        try StreamSecurity(
            TLSIdentity(
                certificateChain: certificate,
                privateKey: key,
                clientAuthorities: authorities
            ),
            names: .numbered
        )
    }

    /// For each node of a run, of an authority that is made here and then forgotten.
    static func forRun(of nodes: Int) throws(SecurityError) -> [StreamCredentials] {
        let now = WallTime(unixSeconds: Int64(Date().timeIntervalSince1970))
        let authority = try EphemeralAuthority(
            RunSecrets(),
            from: now,
            lifetime: RunSecrets.lifetime
        )
        var all: [StreamCredentials] = []
        for node in 0..<UInt32(nodes) {
            let name = StreamSecurity.name(of: NodeID(node))
            all.append(StreamCredentials(try authority.identity(named: name)))
        }
        return all
    }
}

/// Bytes of the system's generator: what protects a real connection never follows from a seed.
private struct RunSecrets: SecretSource {
    /// Longer than any run.
    static let lifetime = Interval.seconds(24 * 3600)

    func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

extension [StreamSecurity.Counts] {
    /// What TLS did in a run, from what its nodes counted.
    var fact: String {
        let accepted = reduce(0) { $0 + $1.accepted }
        let refused = reduce(0) { $0 + $1.refused }
        let reason = last { $0.lastReason != nil }?.lastReason.map { ", last: \($0)" } ?? ""
        return "1.3, certificates of the run on both sides: \(accepted) streams accepted, "
            + "\(refused) connections refused\(reason)"
    }
}
