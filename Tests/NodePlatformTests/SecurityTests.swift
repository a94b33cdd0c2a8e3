import Crypto
import Effects
import FoundationEssentials
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import SimulationKernel
import SwiftASN1
import Testing
import Units
import X509

// Goal: a node has one authority and a certificate that is its own and valid, or says what is
// wrong. Method: boots of configuration, lock, authority and certificate on a modelled host,
// between which files and clocks are changed.
@Suite struct SecurityTests {
    private let world = PlatformWorld()
    private static let names = ["authority-key.pem", "authority.pem", "node.pem"]

    private func path(_ name: String) -> String { "\(PlatformWorld.security)/\(name)" }

    private func certificate(_ name: String) throws -> Certificate {
        let text = try #require(world.file(name))
        return try Certificate(pemDocument: PEMDocument.parseMultiple(pemString: text)[0])
    }

    private func permissions(_ paths: [String]) throws -> [UInt16?] {
        let files = world.host.effects(incarnation: 90).files
        return try world.executor.run {
            var result: [UInt16?] = []
            for path in paths {
                result.append(try? await files.attributes(of: path)?.permissions)
            }
            return result
        }
    }

    @Test func theFirstStartMakesEverything() throws {
        let (boot, _) = try world.boot(PlatformWorld.security())
        #expect(boot.isReady && boot.degraded == [])
        #expect(boot.health.allSatisfy { $0.health == .healthy })
        #expect(
            try permissions([PlatformWorld.security] + Self.names.map(path))
                == [0o700, 0o600, 0o644, 0o600]
        )
        let (authority, node) = (try certificate("authority.pem"), try certificate("node.pem"))
        #expect(authority.issuer == authority.subject && node.issuer == authority.subject)
        #expect(authority.publicKey.isValidSignature(node.signature, for: node))
        #expect(!node.publicKey.isValidSignature(node.signature, for: node))
        #expect(authority.serialNumber != node.serialNumber)
        let wall = world.host.settings.wallOrigin.unixSeconds
        let begin = Int64(node.notValidBefore.timeIntervalSince1970)
        let end = Int64(node.notValidAfter.timeIntervalSince1970)
        #expect((wall - 301...wall).contains(begin))
        #expect((end - wall - 90 * 86_400).magnitude <= 1)
        let names = try #require(try node.extensions.subjectAlternativeNames)
        #expect(
            Array(names) == [
                .dnsName("alpha"), .dnsName("localhost"),
                .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                .ipAddress(
                    ASN1OctetString(contentBytes: [UInt8](repeating: 0, count: 15)[...] + [1])
                ),
            ]
        )
        #expect(try node.extensions.basicConstraints == .notCertificateAuthority)
    }

    @Test func theSecondStartKeepsEverything() throws {
        _ = try world.boot(PlatformWorld.security())
        let before = Self.names.map(world.file)
        let (boot, process) = try world.boot(PlatformWorld.security(), incarnation: 1)
        #expect(boot.isReady && Self.names.map(world.file) == before)
        #expect(!process.crashPoints.all.contains { $0.step.hasPrefix("security.") })
    }

    @Test func anEndingCertificateIsRenewed() throws {
        _ = try world.boot(PlatformWorld.security())
        let (first, node) = (try certificate("node.pem"), world.file("node.pem"))
        // Sixty of its ninety days are over in a second more.
        for (days, isRenewed) in [(59, false), (61, true), (400, true)] as [(Int64, Bool)] {
            world.host.wallClockError = .seconds(86_400) * days
            let before = world.file("node.pem")
            let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: UInt32(days))
            #expect(boot.isReady && (world.file("node.pem") != before) == isRenewed, "\(days)")
        }
        #expect(world.file("node.pem") != node)
        let last = try certificate("node.pem")
        #expect(last.publicKey != first.publicKey && last.serialNumber != first.serialNumber)
        #expect(
            try certificate("authority.pem").publicKey.isValidSignature(last.signature, for: last)
        )
    }

    @Test func otherNamesMakeANewCertificate() throws {
        _ = try world.boot(PlatformWorld.security())
        let authority = world.file("authority.pem")
        var configuration = PlatformWorld.configuration
        configuration.security.names = ["alpha.example", "2001:db8::1"]
        let (boot, _) = try world.boot(PlatformWorld.security(configuration), incarnation: 1)
        #expect(boot.isReady && world.file("authority.pem") == authority)
        let names = try #require(try certificate("node.pem").extensions.subjectAlternativeNames)
        #expect(names.count == 3 && names.contains(.dnsName("alpha.example")))
        configuration.name = "beta"
        #expect(try world.boot(PlatformWorld.security(configuration), incarnation: 2).boot.isReady)
        #expect("\(try certificate("node.pem").subject)".contains("beta"))
    }

    @Test func namesThatNoCertificateCanHaveAreRefused() throws {
        var configuration = PlatformWorld.configuration
        configuration.security.names = ["n\u{F6}de"]
        let (boot, _) = try world.boot(PlatformWorld.security(configuration))
        #expect(boot.failure?.contains("cannot stand in a certificate") == true)
        #expect(world.file("node.pem") == nil)
    }

    @Test func aForeignCertificateEndsTheBoot() throws {
        let other = PlatformWorld(seed: 2)
        _ = try other.boot(PlatformWorld.security())
        _ = try world.boot(PlatformWorld.security())
        let foreign = try #require(other.file("node.pem"))
        world.host.disk.place(path("node.pem"), Array(foreign.utf8))
        let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
        #expect(
            boot.failure?.hasPrefix("security.certificate: /data/security/node.pem was not signed")
                == true
        )
        #expect(world.file("node.pem") == foreign)
    }

    @Test func aMovedKeyIsNotReplaced() throws {
        _ = try world.boot(PlatformWorld.security())
        let files = world.host.effects(incarnation: 9).files
        let certificate = world.file("authority.pem")
        try world.executor.run { [key = path("authority-key.pem")] in try? await files.remove(key) }
        let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
        #expect(boot.failure?.contains("authority-key.pem is missing while") == true)
        #expect(
            world.file("authority-key.pem") == nil && world.file("authority.pem") == certificate
        )
    }

    @Test func theKeyOfAnotherAuthorityIsFound() throws {
        let other = PlatformWorld(seed: 2)
        _ = try other.boot(PlatformWorld.security())
        _ = try world.boot(PlatformWorld.security())
        let key = try #require(other.file("authority-key.pem"))
        world.host.disk.place(path("authority-key.pem"), Array(key.utf8))
        let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
        #expect(boot.failure?.contains("is not the key of /data/security/authority.pem") == true)
    }

    /// A lost certificate is no lost authority: the key makes the same one again.
    @Test func aKeyWithoutCertificateIsCompleted() throws {
        _ = try world.boot(PlatformWorld.security())
        let before = (world.file("authority-key.pem"), world.file("node.pem"))
        let files = world.host.effects(incarnation: 9).files
        try world.executor.run { [path = path("authority.pem")] in try? await files.remove(path) }
        let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
        #expect(boot.isReady && world.file("authority.pem") != nil)
        #expect(world.file("authority-key.pem") == before.0 && world.file("node.pem") == before.1)
    }

    @Test(arguments: ["authority-key.pem", "authority.pem", "node.pem"])
    func damageIsNamedAndKept(name: String) throws {
        _ = try world.boot(PlatformWorld.security())
        let whole = Array(try #require(world.file(name)).utf8)
        let middle = whole.count / 2
        var flipped = whole
        flipped[middle] ^= 0x11
        for damaged in [[], Array(whole.prefix(middle)), flipped, [0xFF, 0xFE], whole + whole] {
            // Two equal authorities in a row are read as one.
            if name == "authority.pem", damaged == whole + whole { continue }
            world.host.disk.place(path(name), damaged)
            let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
            let failure = boot.failure ?? "none"
            #expect(failure.contains("/data/security/\(name)"), "\(failure)")
            #expect(world.host.disk.contents(of: path(name)) == damaged)
        }
    }

    @Test func openSecretsAreRefused() throws {
        _ = try world.boot(PlatformWorld.security())
        let files = world.host.effects(incarnation: 9).files
        func set(_ permissions: UInt16, _ path: String) throws {
            try world.executor.run { try? await files.setPermissions(permissions, of: path) }
        }
        let cases: [(String, UInt16, String)] = [
            (path("authority-key.pem"), 0o600, "chmod 600 /data/security/authority-key.pem"),
            (path("node.pem"), 0o600, "chmod 600 /data/security/node.pem"),
            (PlatformWorld.security, 0o700, "chmod 700 /data/security"),
        ]
        for (path, right, text) in cases {
            try set(right | 0o044, path)
            let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
            #expect(boot.failure?.contains(text) == true, "\(String(describing: boot.failure))")
            try set(right, path)
            #expect(try world.boot(PlatformWorld.security(), incarnation: 2).boot.isReady)
        }
    }

    @Test func clocksThatAreWrongAreTold() throws {
        _ = try world.boot(PlatformWorld.security())
        let authority = world.file("authority.pem")
        for (days, text) in [(3651, "was valid until"), (-2, "set the clock")] as [(Int64, String)]
        {
            world.host.wallClockError = .seconds(86_400) * days
            let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
            #expect(boot.failure?.contains(text) == true, "\(String(describing: boot.failure))")
            #expect(world.file("authority.pem") == authority)
        }
    }

    /// RFC 5280, section 4.1.2.5: such an end says that there is none.
    @Test func anAuthorityWithoutEndIsUsed() throws {
        _ = try world.boot(PlatformWorld.security())
        let key = try Certificate.PrivateKey(pemEncoded: #require(world.file("authority-key.pem")))
        let own = try certificate("authority.pem")
        for (begin, end) in [(1.0, 253_402_300_799.0), (-62_000_000_000, 253_402_300_799)] {
            let endless = try Certificate(
                version: .v3,
                serialNumber: own.serialNumber,
                publicKey: own.publicKey,
                notValidBefore: Date(timeIntervalSince1970: begin),
                notValidAfter: Date(timeIntervalSince1970: end),
                issuer: own.issuer,
                subject: own.subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: own.extensions,
                issuerPrivateKey: key
            )
            let pem = try endless.serializeAsPEM().pemString + "\n"
            world.host.disk.place(path("authority.pem"), Array(pem.utf8))
            let (boot, _) = try world.boot(PlatformWorld.security(), incarnation: 1)
            #expect(boot.isReady, "\(String(describing: boot.failure))")
            #expect(boot.health.allSatisfy { $0.health == .healthy })
        }
    }

    /// Goal: nothing outlasts the authority, and its end is announced instead of renewed for ever.
    @Test func theAuthoritysEndIsAnnounced() throws {
        var configuration = PlatformWorld.configuration
        configuration.security.authorityLifetime = .seconds(20 * 86_400)
        _ = try world.boot(PlatformWorld.security(configuration))
        #expect(
            try certificate("node.pem").notValidAfter == certificate("authority.pem").notValidAfter
        )
        let before = world.file("node.pem")
        let (boot, _) = try world.boot(PlatformWorld.security(configuration), incarnation: 1)
        #expect(boot.isReady && world.file("node.pem") == before)
        let health = boot.health.first { $0.component == "security.certificate" }?.health
        guard case .degraded(let text) = health else {
            Issue.record("\(String(describing: health))")
            return
        }
        #expect(text.contains("the authority ends on"))
    }

    @Test func aFullDiskEndsTheBootAndTheNextOneSucceeds() throws {
        for name in Self.names {
            let world = PlatformWorld()
            world.host.disk.inject(DiskFault(at: path(name), .writes, .full))
            let (boot, _) = try world.boot(PlatformWorld.security())
            #expect(boot.failure?.contains("\(name): the disk is full") == true)
            let key = world.file("authority-key.pem")
            world.host.disk.removeFaults()
            #expect(try world.boot(PlatformWorld.security(), incarnation: 1).boot.isReady)
            if let key { #expect(world.file("authority-key.pem") == key) }
        }
    }

    @Test func rotationTellsObserversOnce() throws {
        let heard = Shared<[TLSIdentity]>([])
        let results = Shared<[NodePlatform.CertificateStore.Rotation]>([])
        let (boot, _) = try world.boot(PlatformWorld.security()) { [host = world.host] node, _ in
            guard let store = node.value(PlatformKeys.certificates) else { return }
            let first = try? store.identity()
            let observation = store.observe { identity in
                heard.change { $0.append(identity) }
            }
            let unneeded = try? await store.rotateIfNeeded()
            #expect(unneeded == .notNeeded && heard.value.isEmpty)
            host.wallClockError = .seconds(70 * 86_400)
            await withTaskGroup(of: NodePlatform.CertificateStore.Rotation?.self) { group in
                for _ in 0..<3 { group.addTask { try? await store.rotateIfNeeded() } }
                for await result in group { if let result { results.change { $0.append(result) } } }
            }
            #expect(heard.value.count == 1 && heard.value.first != first)
            #expect((try? store.identity()) == heard.value.first)
            store.remove(observation)
            host.wallClockError = .seconds(140 * 86_400)
            let silent = try? await store.rotateIfNeeded()
            #expect(silent == .renewed && heard.value.count == 1)
        }
        #expect(boot.isReady)
        #expect(results.value.count { $0 == .renewed } == 1)
        #expect(results.value.count { $0 == .underWay } == 2)
    }

    /// Goal: a renewal that cannot be written changes nothing, and the next one succeeds.
    @Test func aFailedRotationLeavesTheOldCertificate() throws {
        let (boot, _) = try world.boot(PlatformWorld.security()) { [world] node, _ in
            guard let store = node.value(PlatformKeys.certificates) else { return }
            let before = try? store.identity()
            world.host.wallClockError = .seconds(70 * 86_400)
            world.host.disk.inject(DiskFault(at: PlatformWorld.security, .writes, .full))
            let failed = await failure { _ = try await store.rotateIfNeeded() }
            #expect(failed?.contains("the disk is full") == true)
            #expect((try? store.identity()) == before)
            world.host.disk.removeFaults()
            #expect((try? await store.rotateIfNeeded()) == .renewed)
        }
        #expect(boot.isReady)
    }

    @Test func operatorsGetACertificateOfTheirOwn() throws {
        let configuration = PlatformWorld.configuration
        let effects = world.host.effects(incarnation: 9)
        func identity() throws -> Result<TLSIdentity, SecurityError> {
            try world.executor.run {
                do throws(SecurityError) {
                    return .success(try await OperatorCertificate.identity(configuration, effects))
                } catch {
                    return .failure(error)
                }
            }
        }
        guard case .failure(.file(let missing)) = try identity() else {
            Issue.record("an identity without an authority")
            return
        }
        #expect(missing.path == path("authority.pem") && missing.reason == .notFound)
        _ = try world.boot(PlatformWorld.security())
        let first = try identity().get()
        #expect(try identity().get() == first)
        #expect(first.clientAuthorities == world.file("authority.pem"))
        #expect(try permissions([path("client.pem")]) == [0o600])
        let client = try certificate("client.pem")
        #expect(client.issuer == (try certificate("authority.pem")).subject)
        #expect("\(client.subject)".contains("operator"))
        world.host.wallClockError = .seconds(70 * 86_400)
        #expect(try identity().get() != first)
    }
}

/// The error of a call, as text; `nil` when it succeeded.
func failure(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return "\(error)"
    }
}
