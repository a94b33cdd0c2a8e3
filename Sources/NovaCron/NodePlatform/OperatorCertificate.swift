public import Effects
public import NodeFoundation
import Units

/// The certificate with which an operator on the node's own machine asks its control interface.
public enum OperatorCertificate {
    /// The certificate in `client.pem` of the node's security folder; a new one is written there
    /// when there is none or it ends soon. The node need not run, but must have made its authority.
    ///
    /// - Parameters:
    ///   - name: the common name that the control interface sees; at most 64 ASCII characters.
    ///   - configuration: of the node.
    /// - Returns: what a client shows; its `clientAuthorities` is what it has to trust.
    public static func identity(
        named name: String = "operator",
        _ configuration: NodeConfiguration,
        _ effects: NodeEffects
    ) async throws(SecurityError) -> TLSIdentity {
        let folder = SecurityFolder(configuration, effects.files)
        let now = effects.clock.wallTime
        guard let authority = try await CertificateAuthority.read(folder, now) else {
            throw .file(FileError(.notFound, folder.authorityCertificate))
        }
        let settings = configuration.security
        if let text = try await folder.secret(folder.client) {
            let present = try CertifiedKey(text, path: folder.client, of: authority)
            let isOutdated = try present.isOutdated(
                subject: name,
                usage: .client,
                rotateBefore: settings.rotateBefore,
                lifetime: settings.certificateLifetime,
                authority: authority,
                now: now
            )
            if !isOutdated { return try identity(of: present, authority) }
        }
        let issued = try CertifiedKey(
            by: authority,
            subject: name,
            usage: .client,
            lifetime: settings.certificateLifetime,
            effects
        )
        try await folder.write(try issued.text(), to: folder.client, permissions: 0o600)
        return try identity(of: issued, authority)
    }

    private static func identity(
        of client: CertifiedKey,
        _ authority: CertificateAuthority
    ) throws(SecurityError) -> TLSIdentity {
        TLSIdentity(
            certificateChain: try client.certificatePEM(),
            privateKey: client.key.pem,
            clientAuthorities: authority.pem
        )
    }
}
