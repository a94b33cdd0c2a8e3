public import Effects
public import Units
import X509

/// A certificate authority that is kept in memory only, for nodes that trust each other as long as a
/// run lasts.
public struct EphemeralAuthority: Sendable {
    /// The certificate, which nodes trust.
    public let pem: String
    private let certificate: Certificate
    private let key: SigningKey
    private let secrets: any SecretSource

    /// - Parameters:
    ///   - secrets: give the key; nobody else may know them.
    ///   - now: certificates are valid from a little earlier on.
    ///   - lifetime: after which nothing that it signs is valid.
    public init(
        _ secrets: any SecretSource,
        from now: WallTime,
        lifetime: Interval
    ) throws(SecurityError) {
        self.secrets = secrets
        key = try SigningKey(secrets)
        let subject = try CertificateContent.subject("NovaCron run \(key.name)")
        let content = CertificateContent(
            subject: subject,
            publicKey: key.publicKey,
            begin: now + -CertificateContent.clockTolerance,
            end: now + lifetime,
            usage: .authority
        )
        certificate = try content.signed(by: subject, key, secrets)
        pem = try certificate.pem()
    }

    /// A new key with a certificate for `name`, which stands in it as a name of the DNS, for either
    /// side of a connection. It trusts the nodes of this authority.
    ///
    /// - Parameter end: of the certificate; that of the authority without one.
    public func identity(
        named name: String,
        until end: WallTime? = nil
    ) throws(SecurityError) -> TLSIdentity {
        let own = try SigningKey(secrets)
        let content = CertificateContent(
            subject: try CertificateContent.subject(name),
            publicKey: own.publicKey,
            begin: WallTime(certificate.notValidBefore),
            end: end ?? WallTime(certificate.notValidAfter),
            usage: .node(names: [name])
        )
        let signed = try content.signed(by: certificate.subject, key, secrets)
        return TLSIdentity(
            certificateChain: try signed.pem(),
            privateKey: own.pem,
            clientAuthorities: pem
        )
    }
}
