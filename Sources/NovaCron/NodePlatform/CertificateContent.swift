import Crypto
import Effects
import FoundationEssentials
import SwiftASN1
import Units
import X509

/// What a certificate is to say, and how it is signed.
struct CertificateContent: Sendable {
    var subject: DistinguishedName
    var publicKey: Certificate.PublicKey
    var begin: WallTime
    var end: WallTime
    var usage: Usage

    enum Usage: Sendable {
        case authority
        /// Names and addresses by which the node is reached.
        case node(names: [String])
        case client
    }

    /// Clocks of two machines may differ by that much.
    static let clockTolerance = Interval.seconds(300)

    /// A signature of this length is drawn, for equal secrets to give files of equal length: by
    /// chance an ECDSA signature has 70, 71 or 72 bytes in DER, and 71 every second time.
    private static let signatureLength = 71
    private static let signatureLimit = 128

    /// - Parameter secrets: gives the serial number: 127 bits of which the highest is set, so that
    ///   every serial number has the same length (RFC 5280, section 4.1.2.2).
    func signed(
        by issuer: DistinguishedName,
        _ key: SigningKey,
        _ secrets: any SecretSource
    ) throws(SecurityError) -> Certificate {
        var serial = secrets.randomBytes(16)
        serial[0] = serial[0] & 0x3F | 0x40
        let extensions = try extensions(issuerKey: key)
        do {
            var certificate: Certificate
            var draws = 0
            repeat {
                certificate = try Certificate(
                    version: .v3,
                    serialNumber: Certificate.SerialNumber(bytes: serial),
                    publicKey: publicKey,
                    notValidBefore: begin.date,
                    notValidAfter: end.date,
                    issuer: issuer,
                    subject: subject,
                    signatureAlgorithm: .ecdsaWithSHA256,
                    extensions: extensions,
                    issuerPrivateKey: Certificate.PrivateKey(key.key)
                )
                draws += 1
            } while certificate.signature.rawRepresentation.count
                != CertificateContent.signatureLength && draws < CertificateContent.signatureLimit
            return certificate
        } catch {
            throw .signing("\(error)")
        }
    }

    private func extensions(issuerKey: SigningKey) throws(SecurityError) -> Certificate.Extensions {
        let own = SubjectKeyIdentifier(hash: publicKey)
        let above = AuthorityKeyIdentifier(
            keyIdentifier: SubjectKeyIdentifier(hash: issuerKey.publicKey).keyIdentifier
        )
        do {
            switch usage {
            case .authority:
                return try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    own
                }
            case .node(let names):
                let alternatives = SubjectAlternativeNames(
                    try CertificateContent.generalNames(names)
                )
                return try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    alternatives
                    own
                    above
                }
            case .client:
                return try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.clientAuth])
                    own
                    above
                }
            }
        } catch let error as SecurityError {
            throw error
        } catch {
            throw .signing("\(error)")
        }
    }

    /// Addresses as addresses, everything else as names of the DNS; each once, in order.
    static func generalNames(_ names: [String]) throws(SecurityError) -> [GeneralName] {
        var result: [GeneralName] = []
        for name in names {
            let general: GeneralName
            if let address = InternetAddress(name) {
                general = .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
            } else {
                try check(name)
                general = .dnsName(name)
            }
            if !result.contains(general) { result.append(general) }
        }
        return result
    }

    /// A subject with a common name only.
    static func subject(_ name: String) throws(SecurityError) -> DistinguishedName {
        try check(name)
        guard name.utf8.count <= 64 else { throw .unusableName(name) }
        do {
            return try DistinguishedName { CommonName(name) }
        } catch {
            throw .signing("\(error)")
        }
    }

    private static func check(_ name: String) throws(SecurityError) {
        guard (1...253).contains(name.utf8.count),
            name.utf8.allSatisfy({ (0x21...0x7E).contains($0) || $0 == 0x20 })
        else { throw .unusableName(name) }
    }
}

extension WallTime {
    /// In whole seconds, as certificates have it.
    var date: Date { .init(timeIntervalSince1970: Double(unixSeconds)) }

    /// Rounded down to seconds. Certificates may end in the year 9999 (RFC 5280, section 4.1.2.5),
    /// which is beyond what this type holds: such a time becomes the last one, or the first.
    init(_ date: Date) {
        let limit = Double(Int64.max / 1_000_000_000)
        let seconds = date.timeIntervalSince1970.rounded(.down)
        self.init(unixSeconds: Int64(min(max(seconds, -limit), limit)))
    }
}
