import Effects
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import Testing
import Units

/// Goal: with the three files of TLS on streams a node takes migrations; with any of them missing,
/// open to others, damaged, out of date or of another pair it takes none, over plain streams neither,
/// and names the file and what is wrong with it.
/// Method: boots on modelled hosts, with files made by authorities of the test.
@Suite struct StreamIdentityTests {
    private let world = PlatformWorld()

    /// Made in the present of the modelled host, of secrets that another life does not have.
    private func authority(
        _ life: UInt32 = 0
    ) throws -> (EphemeralAuthority, WallTime) {
        let process = world.host.startProcess(incarnation: life, crash: .never)
        let (secrets, now) = (process.effects.secrets, process.effects.clock.wallTime)
        process.end()
        let lifetime = Interval.seconds(7200)
        return (try EphemeralAuthority(secrets, from: now, lifetime: lifetime), now)
    }

    private func boot(
        _ files: [(name: String, text: String?, permissions: UInt16)]
    ) throws -> PlatformWorld.Boot {
        world.host.disk.placeFolder("/data")
        for file in files {
            guard let text = file.text else { continue }
            world.host.disk.place(
                "/data/\(file.name)",
                Array(text.utf8),
                permissions: file.permissions
            )
        }
        var configuration = PlatformWorld.configuration
        configuration.dwcp.certificate = "certificate.pem"
        configuration.dwcp.key = "key.pem"
        configuration.dwcp.authorities = "authorities.pem"
        let all = PlatformWorld.all(configuration)
        return try world.boot([all[0], all[9], all[10]], incarnation: 1).boot
    }

    @Test func withAllFilesTheTransportStarts() throws {
        let (authority, _) = try authority()
        let own = try authority.identity(named: "alpha")
        let seen = try boot([
            ("certificate.pem", own.certificateChain, 0o644), ("key.pem", own.privateKey, 0o600),
            ("authorities.pem", authority.pem, 0o644),
        ])
        #expect(seen.isReady && seen.degraded == [])
        #expect(seen.health.allSatisfy { $0.health == .healthy })
    }

    private static let faults = [
        "no certificate", "no key", "no authorities", "open key", "noise for a certificate",
        "noise for a key", "noise for authorities", "an ended certificate",
        "a certificate of the future", "another key", "another authority", "no chain",
    ]

    @Test(arguments: faults)
    func aFileThatIsWrongIsNamed(fault: String) throws {
        let (authority, now) = try authority()
        let (other, _) = try self.authority(7)
        let own = try authority.identity(named: "alpha")
        var (chain, key, authorities): (String?, String?, String?) =
            (own.certificateChain, own.privateKey, authority.pem)
        var permissions: UInt16 = 0o600
        let expected: String
        switch fault {
        case "no certificate": (chain, expected) = (nil, "/data/certificate.pem")
        case "no key": (key, expected) = (nil, "/data/key.pem")
        case "no authorities": (authorities, expected) = (nil, "/data/authorities.pem")
        case "open key": (permissions, expected) = (0o640, "/data/key.pem is open to others (640)")
        case "noise for a certificate":
            (chain, expected) = ("noise", "/data/certificate.pem cannot be used")
        case "noise for a key": (key, expected) = ("noise", "/data/key.pem cannot be used")
        case "noise for authorities":
            (authorities, expected) = ("noise", "/data/authorities.pem cannot be used")
        case "an ended certificate":
            chain = try authority.identity(named: "alpha", until: now + .seconds(-60))
                .certificateChain
            expected = "a certificate was valid until"
        case "a certificate of the future":
            world.host.wallClockError = .seconds(-86_400)
            expected = "a certificate is valid only from"
        case "another key":
            key = try authority.identity(named: "alpha").privateKey
            expected = "/data/key.pem cannot be used for TLS on streams: it is not the key"
        case "another authority":
            (authorities, expected) = (other.pem, "no authority in /data/authorities.pem")
        default:
            let second = try authority.identity(named: "beta").certificateChain
            (chain, expected) = (own.certificateChain + second, "its certificates are no chain")
        }
        let seen = try boot([
            ("certificate.pem", chain, 0o644), ("key.pem", key, permissions),
            ("authorities.pem", authorities, 0o644),
        ])
        #expect(seen.isReady && seen.degraded == ["dwcp.transport"])
        let reasons = seen.reasons("dwcp.transport")
        // The whole transport tries once, its fallback three times; neither listens.
        #expect(reasons.count == 4 && reasons.allSatisfy { $0.contains(expected) }, "\(reasons)")
        #expect(world.host.ports.open.isEmpty)
    }
}
