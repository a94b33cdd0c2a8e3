import Effects
import Foundation
import RealNodes
import SwiftASN1
import Testing
import X509

/// Goal: certificates that end are replaced at the start, and an authority that is not the node's own
/// is not taken, nor anything written over.
/// Method: the built daemon between two boots, with other lifetimes or somebody else's files.
@Suite(.serialized) struct SecurityTests {
    @Test func anExpiredCertificateIsReplaced() async throws {
        let daemon = try Daemon()
        try await daemon.whileReady { _ in }
        let first = try certificate(of: daemon)
        let expired = try replace(first, in: daemon, end: Date.now - 60)
        try await daemon.whileReady { _ in }
        let second = try certificate(of: daemon)
        #expect(second != expired)
        #expect(second.notValidAfter > Date.now + 86_400)
        #expect(second.issuer == first.issuer)
        try await daemon.whileReady { _ in }
        #expect(try certificate(of: daemon) == second)
    }

    @Test func aForeignAuthorityIsRefused() async throws {
        let daemon = try Daemon()
        let other = try Daemon()
        try await daemon.whileReady { _ in }
        try await other.whileReady { _ in }
        let path = "\(folder(daemon))/authority.pem"
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: "\(folder(other))/authority.pem", toPath: path)
        let before = digests(daemon)
        let ending = try daemon.refused()
        #expect(ending.code == 69 || ending.code == 65, "\(ending.errors)")
        #expect(ending.errors.contains("security."), "\(ending.errors)")
        #expect(digests(daemon) == before)
    }

    private func folder(_ daemon: Daemon) -> String { "\(daemon.node.dataPath)/security" }

    private func digests(_ daemon: Daemon) -> [String?] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder(daemon))) ?? []
        return names.sorted().map { daemon.node.data.digest(of: "security/\($0)") }
    }

    private func certificate(of daemon: Daemon) throws -> Certificate {
        let text = try String(contentsOfFile: "\(folder(daemon))/node.pem", encoding: .utf8)
        // The file holds the key, too.
        let document = try PEMDocument.parseMultiple(pemString: text)
            .first { $0.discriminator == "CERTIFICATE" }
        return try Certificate(pemDocument: try #require(document))
    }

    /// Signs the certificate again with another end, as its authority would have.
    private func replace(
        _ certificate: Certificate,
        in daemon: Daemon,
        end: Date
    ) throws -> Certificate {
        let file = "\(folder(daemon))/authority-key.pem"
        let key = try String(contentsOfFile: file, encoding: .utf8)
        let other = try Certificate(
            version: certificate.version,
            serialNumber: certificate.serialNumber,
            publicKey: certificate.publicKey,
            notValidBefore: end - 3600,
            notValidAfter: end,
            issuer: certificate.issuer,
            subject: certificate.subject,
            signatureAlgorithm: certificate.signatureAlgorithm,
            extensions: certificate.extensions,
            issuerPrivateKey: Certificate.PrivateKey(pemEncoded: key)
        )
        let path = "\(folder(daemon))/node.pem"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let documents = try PEMDocument.parseMultiple(pemString: text).map { document in
            document.discriminator == "CERTIFICATE"
                ? try other.serializeAsPEM().pemString : document.pemString
        }
        // In place, so that the permissions stay.
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data((documents.joined(separator: "\n") + "\n").utf8))
        try handle.close()
        return other
    }
}
