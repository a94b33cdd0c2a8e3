import Effects
import SwiftASN1
import Units
import X509

/// A key with the certificate that an authority has given for it, as one text.
struct CertifiedKey: Sendable {
    let certificate: Certificate
    let key: SigningKey

    /// Makes a new key and has it signed.
    init(
        by authority: CertificateAuthority,
        subject: String,
        usage: CertificateContent.Usage,
        lifetime: Interval,
        _ effects: NodeEffects
    ) throws(SecurityError) {
        key = try SigningKey(effects.secrets)
        let now = effects.clock.wallTime
        let content = CertificateContent(
            subject: try CertificateContent.subject(subject),
            publicKey: key.publicKey,
            begin: now + -CertificateContent.clockTolerance,
            end: min(now + lifetime, authority.end),
            usage: usage
        )
        certificate = try content.signed(
            by: authority.certificate.subject,
            authority.key,
            effects.secrets
        )
    }

    /// Reads a certificate followed by its key, and checks that they belong together and to the
    /// authority. Whether it is still valid is not looked at.
    init(_ text: String, path: String, of authority: CertificateAuthority) throws(SecurityError) {
        let parts: [PEMDocument]
        do {
            parts = try PEMDocument.parseMultiple(pemString: text)
        } catch {
            throw .damaged(path: path, what: "it is not in PEM")
        }
        guard parts.count == 2 else {
            throw .damaged(path: path, what: "it holds \(parts.count) parts instead of two")
        }
        do {
            certificate = try Certificate(pemDocument: parts[0])
        } catch {
            throw .damaged(path: path, what: "its first part is no certificate")
        }
        key = try SigningKey(pem: parts[1].pemString, path: path)
        guard certificate.publicKey == key.publicKey else {
            throw .damaged(path: path, what: "its key does not belong to its certificate")
        }
        guard authority.hasSigned(certificate) else {
            throw .foreign(path: path, authority: authority.path)
        }
    }

    var end: WallTime { WallTime(certificate.notValidAfter) }
    var begin: WallTime { WallTime(certificate.notValidBefore) }

    func certificatePEM() throws(SecurityError) -> String { try certificate.pem() }

    /// What is kept in a file.
    func text() throws(SecurityError) -> String { try certificate.pem() + key.pem }

    /// Whether the certificate should be replaced: it ends soon, does not begin yet, or says
    /// something else than it should.
    func isOutdated(
        subject: String,
        usage: CertificateContent.Usage,
        rotateBefore: Interval,
        lifetime: Interval,
        authority: CertificateAuthority,
        now: WallTime
    ) throws(SecurityError) -> Bool {
        guard begin <= now, now < end else { return true }
        if certificate.subject != (try CertificateContent.subject(subject)) { return true }
        if case .node(let names) = usage {
            let wanted = try CertificateContent.generalNames(names)
            guard let present = try? certificate.extensions.subjectAlternativeNames,
                Array(present) == wanted
            else { return true }
        }
        guard end - now < rotateBefore else { return false }
        // A new one must last longer; it cannot outlast the authority.
        return min(now + lifetime, authority.end).unixSeconds > end.unixSeconds
    }
}

extension Certificate {
    /// In PEM, with the end of the last line.
    func pem() throws(SecurityError) -> String {
        do {
            return try serializeAsPEM().pemString + "\n"
        } catch {
            throw .signing("\(error)")
        }
    }
}
