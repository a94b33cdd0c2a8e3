import Crypto
import Effects
import X509

/// A private key on the curve P-256: quick to make and to use, and spoken by every TLS library.
struct SigningKey: Sendable {
    let key: P256.Signing.PrivateKey

    /// Of all 256-bit numbers one in 2³² is no key.
    private static let drawLimit = 16

    /// Made of secret bytes, so that equal secrets give equal keys.
    init(_ secrets: any SecretSource) throws(SecurityError) {
        for _ in 0..<SigningKey.drawLimit {
            if let key = try? P256.Signing.PrivateKey(rawRepresentation: secrets.randomBytes(32)) {
                self.key = key
                return
            }
        }
        throw .noRandomness
    }

    /// Reads PKCS #8 or SEC 1; `path` is for the error's text.
    init(pem: String, path: String) throws(SecurityError) {
        do {
            key = try P256.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            throw .damaged(path: path, what: "it holds no P-256 key in PEM")
        }
    }

    var pem: String { key.pemRepresentation + "\n" }

    var publicKey: Certificate.PublicKey { Certificate.PublicKey(key.publicKey) }

    /// Names the key, for subjects: the first half of SHA-256 over its public part, as hexadecimal
    /// digits.
    var name: String {
        SHA256.hash(data: key.publicKey.rawRepresentation).prefix(16).reduce(into: "") {
            $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16)
        }
    }
}
