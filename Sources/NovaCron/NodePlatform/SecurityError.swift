public import Effects

/// Why a node has no certificates that it can use. Each text says what to do.
public enum SecurityError: Error, Hashable, Sendable, CustomStringConvertible {
    case file(FileError)
    /// Others than the owner may use a secret.
    case tooOpen(path: String, permissions: UInt16, wanted: UInt16)
    case damaged(path: String, what: String)
    /// The authority's certificate is there and its key is not.
    case keyMissing(certificate: String, key: String)
    case keyOfAnother(key: String, certificate: String)
    /// A certificate that an authority would not have.
    case noAuthority(path: String, reason: String)
    case authorityEnded(path: String, end: String)
    case notYetValid(path: String, begin: String)
    /// Somebody else's authority has signed.
    case foreign(path: String, authority: String)
    /// A file that the settings name for TLS on streams.
    case unusableForStreams(path: String, problem: String)
    case unusableName(String)
    /// The source of secrets gives no usable key.
    case noRandomness
    /// The certificate could not be made; the text is the library's.
    case signing(String)

    public var description: String {
        switch self {
        case .file(let error):
            "\(error)"
        case .tooOpen(let path, let permissions, let wanted):
            """
            \(path) is open to others (\(SecurityError.octal(permissions))): \
            run 'chmod \(SecurityError.octal(wanted)) \(path)', and replace its keys if somebody \
            may have read them
            """
        case .damaged(let path, let what):
            "\(path) is damaged: \(what); restore it from a backup or move it away to get a new one"
        case .keyMissing(let certificate, let key):
            """
            \(key) is missing while \(certificate) is there: restore the key, or move the \
            certificate away to begin a new authority
            """
        case .keyOfAnother(let key, let certificate):
            "\(key) is not the key of \(certificate): restore the pair that belongs together"
        case .noAuthority(let path, let reason):
            "\(path) is no certificate of an authority of this node: \(reason)"
        case .authorityEnded(let path, let end):
            """
            \(path) was valid until \(end): move it and its key away to begin a new authority, \
            which every client has to be told
            """
        case .notYetValid(let path, let begin):
            "\(path) is valid only from \(begin): set the clock of this machine"
        case .foreign(let path, let authority):
            """
            \(path) was not signed by \(authority): restore the authority that signed it, or move \
            the certificate away to get one from the present authority
            """
        case .unusableForStreams(let path, let problem):
            """
            \(path) cannot be used for TLS on streams: \(problem); correct dwcp.certificate, \
            dwcp.key and dwcp.authorities or the files they name, and start the node again
            """
        case .unusableName(let name):
            "'\(name)' cannot stand in a certificate: names are ASCII, of 1 to 253 characters"
        case .noRandomness:
            "the source of secrets gives no usable key"
        case .signing(let text):
            "a certificate could not be made: \(text)"
        }
    }

    private static func octal(_ permissions: UInt16) -> String {
        let digits = String(permissions, radix: 8)
        return String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    }
}
