import Effects
import NodeFoundation
import SwiftASN1
import Units
import X509

/// What a node shows to the peers of its streams, from the files that the settings name.
struct StreamIdentity: Sendable {
    let identity: TLSIdentity
    /// Of the certificate that ends first.
    let end: WallTime

    /// Reads and checks the files; `nil` when the settings name none.
    ///
    /// - Throws: the first file that is missing, unreadable, open to others, damaged, not valid now,
    ///   or does not belong to the others.
    static func read(
        _ configuration: NodeConfiguration,
        _ effects: NodeEffects
    ) async throws(SecurityError) -> StreamIdentity? {
        let settings = configuration.dwcp
        guard let certificatePath = settings.certificate.map(configuration.path),
            let keyPath = settings.key.map(configuration.path),
            let authoritiesPath = settings.authorities.map(configuration.path)
        else { return nil }
        let folder = SecurityFolder(configuration, effects.files)
        let chainText = try await text(folder, certificatePath)
        guard let keyText = try await folder.secret(keyPath) else {
            throw .file(FileError(.notFound, keyPath))
        }
        let authoritiesText = try await text(folder, authoritiesPath)
        let chain = try certificates(chainText, certificatePath)
        let authorities = try certificates(authoritiesText, authoritiesPath)
        let now = effects.clock.wallTime
        for certificate in chain { try check(certificate, certificatePath, now) }
        guard let key = try? Certificate.PrivateKey(pemEncoded: keyText) else {
            throw .unusableForStreams(path: keyPath, problem: "it holds no private key in PEM")
        }
        guard key.publicKey == chain[0].publicKey else {
            throw .unusableForStreams(
                path: keyPath,
                problem: "it is not the key of the first certificate in \(certificatePath)"
            )
        }
        try check(chain, certificatePath, against: authorities, authoritiesPath)
        let ends = (chain + authorities).map { WallTime($0.notValidAfter) }
        return StreamIdentity(
            identity: TLSIdentity(
                certificateChain: chainText,
                privateKey: keyText,
                clientAuthorities: authoritiesText
            ),
            end: ends.min() ?? now
        )
    }

    private static func text(
        _ folder: SecurityFolder,
        _ path: String
    ) async throws(SecurityError) -> String {
        guard let text = try await folder.open(path) else {
            throw .file(FileError(.notFound, path))
        }
        return text
    }

    private static func certificates(
        _ text: String,
        _ path: String
    ) throws(SecurityError) -> [Certificate] {
        let documents = (try? PEMDocument.parseMultiple(pemString: text)) ?? []
        let found = documents.map { try? Certificate(pemDocument: $0) }
        guard !found.isEmpty, !found.contains(where: { $0 == nil }) else {
            throw .unusableForStreams(
                path: path,
                problem: "it does not consist of certificates in PEM"
            )
        }
        return found.compactMap { $0 }
    }

    private static func check(
        _ certificate: Certificate,
        _ path: String,
        _ now: WallTime
    ) throws(SecurityError) {
        guard now.date < certificate.notValidAfter else {
            throw .unusableForStreams(
                path: path,
                problem: "a certificate was valid until \(certificate.notValidAfter)"
            )
        }
        guard certificate.notValidBefore <= now.date else {
            throw .unusableForStreams(
                path: path,
                problem: "a certificate is valid only from \(certificate.notValidBefore)"
            )
        }
    }

    /// Each certificate is signed by the next, the last one by an authority, as peers will demand it
    /// of this node's own kind.
    private static func check(
        _ chain: [Certificate],
        _ path: String,
        against authorities: [Certificate],
        _ authoritiesPath: String
    ) throws(SecurityError) {
        for (below, above) in zip(chain, chain.dropFirst()) where !above.hasSigned(below) {
            throw .unusableForStreams(
                path: path,
                problem: "its certificates are no chain: each is to be signed by the next"
            )
        }
        let last = chain[chain.count - 1]
        guard authorities.contains(where: { $0.hasSigned(last) || $0 == last }) else {
            throw .unusableForStreams(
                path: path,
                problem: "no authority in \(authoritiesPath) has signed it"
            )
        }
    }
}

extension Certificate {
    fileprivate func hasSigned(_ other: Certificate) -> Bool {
        other.issuer == subject && publicKey.isValidSignature(other.signature, for: other)
    }
}
