import Crypto
import Effects
import Foundation
import SwiftASN1
import X509

/// A certificate authority of a test.
struct TestAuthority {
    let pem: String
    private let name: DistinguishedName
    private let key = P256.Signing.PrivateKey()

    init() throws {
        name = try DistinguishedName { CommonName("test authority \(UUID().uuidString)") }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: Date.now - 3600,
            notValidAfter: Date.now + 3600,
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        pem = try certificate.serializeAsPEM().pemString
    }

    /// A certificate for `subject`, valid until `end`, and its key; clients of `clients` are let in.
    func identity(
        _ subject: String,
        until end: Date = Date.now + 3600,
        clients: TestAuthority? = nil
    ) throws -> TLSIdentity {
        let own = P256.Signing.PrivateKey()
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(own.publicKey),
            notValidBefore: Date.now - 7200,
            notValidAfter: end,
            issuer: name,
            subject: try DistinguishedName { CommonName(subject) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                SubjectAlternativeNames([.dnsName("localhost")])
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        return TLSIdentity(
            certificateChain: try certificate.serializeAsPEM().pemString,
            privateKey: own.pemRepresentation,
            clientAuthorities: clients?.pem
        )
    }
}
