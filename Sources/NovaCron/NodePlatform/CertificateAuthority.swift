public import Effects
import Initialization
import NodeFoundation
import SwiftASN1
import Units
import X509

/// The node's certificate authority: a key and a certificate that the key has signed itself.
///
/// It is made on the node's first start and never again: what exists is used, or the node says what
/// is wrong with it. The key is written before the certificate, and a key that has no certificate,
/// as a crash between the two leaves it, is given one; its subject is named after the key, so what
/// the key has signed stays valid.
///
/// Keys are on the curve P-256 (ECDSA with SHA-256), certificates are X.509 version 3 (RFC 5280).
public struct CertificateAuthority: Sendable {
    let certificate: Certificate
    let key: SigningKey
    /// Of the certificate's file, for errors.
    let path: String
    /// The certificate, which clients have to trust.
    public let pem: String

    /// After which nothing that it signed is valid.
    public var end: WallTime { WallTime(certificate.notValidAfter) }

    /// Reads the authority that is there, or makes one.
    ///
    /// - Throws: `SecurityError`, or what ends a durable step.
    static func open(
        _ configuration: NodeConfiguration,
        _ effects: NodeEffects,
        _ journal: BootJournal
    ) async throws -> CertificateAuthority {
        let folder = SecurityFolder(configuration, effects.files)
        try await folder.prepare()
        if let authority = try await read(folder, effects.clock.wallTime) { return authority }
        let key: SigningKey
        if let text = try await folder.secret(folder.authorityKey) {
            key = try SigningKey(pem: text, path: folder.authorityKey)
        } else {
            key = try SigningKey(effects.secrets)
            try await journal.step("security.authority-key") {
                try await folder.write(key.pem, to: folder.authorityKey, permissions: 0o600)
            }
        }
        let lifetime = configuration.security.authorityLifetime
        let certificate = try selfSigned(key, lifetime, effects)
        let pem = try certificate.pem()
        try await journal.step("security.authority-certificate") {
            try await folder.write(pem, to: folder.authorityCertificate, permissions: 0o644)
        }
        return CertificateAuthority(
            certificate: certificate,
            key: key,
            path: folder.authorityCertificate,
            pem: pem
        )
    }

    /// The authority in a folder; `nil` when there is no certificate and so none was finished.
    static func read(
        _ folder: SecurityFolder,
        _ now: WallTime
    ) async throws(SecurityError) -> CertificateAuthority? {
        let path = folder.authorityCertificate
        guard let pem = try await folder.open(path) else { return nil }
        guard let secret = try await folder.secret(folder.authorityKey) else {
            throw .keyMissing(certificate: path, key: folder.authorityKey)
        }
        let key = try SigningKey(pem: secret, path: folder.authorityKey)
        let certificate: Certificate
        do {
            certificate = try Certificate(pemEncoded: pem)
        } catch {
            throw .damaged(path: path, what: "it holds no certificate in PEM")
        }
        guard certificate.publicKey == key.publicKey else {
            throw .keyOfAnother(key: folder.authorityKey, certificate: path)
        }
        guard case .isCertificateAuthority = try? certificate.extensions.basicConstraints else {
            throw .noAuthority(path: path, reason: "it may not sign others")
        }
        let authority = CertificateAuthority(
            certificate: certificate,
            key: key,
            path: path,
            pem: pem
        )
        guard authority.hasSigned(certificate) else {
            throw .noAuthority(path: path, reason: "it has not signed itself")
        }
        guard now.date < certificate.notValidAfter else {
            throw .authorityEnded(path: path, end: "\(certificate.notValidAfter)")
        }
        guard certificate.notValidBefore <= now.date else {
            throw .notYetValid(path: path, begin: "\(certificate.notValidBefore)")
        }
        return authority
    }

    /// Whether a certificate names this authority and carries its signature.
    func hasSigned(_ other: Certificate) -> Bool {
        other.issuer == certificate.subject
            && certificate.publicKey.isValidSignature(other.signature, for: other)
    }

    private static func selfSigned(
        _ key: SigningKey,
        _ lifetime: Interval,
        _ effects: NodeEffects
    ) throws(SecurityError) -> Certificate {
        let subject = try CertificateContent.subject("NovaCron authority \(key.name)")
        let now = effects.clock.wallTime
        let content = CertificateContent(
            subject: subject,
            publicKey: key.publicKey,
            begin: now + -CertificateContent.clockTolerance,
            end: now + lifetime,
            usage: .authority
        )
        return try content.signed(by: subject, key, effects.secrets)
    }
}
