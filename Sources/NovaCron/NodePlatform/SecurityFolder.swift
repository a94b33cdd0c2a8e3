import Effects
import NodeFoundation

/// The folder with a node's keys and certificates, 0700; every file with a key is 0600.
struct SecurityFolder: Sendable {
    let path: String
    let files: any FileAccess

    /// Longest file that is read; each holds a key and a certificate or less.
    private static let sizeLimit = 64 << 10

    init(_ configuration: NodeConfiguration, _ files: any FileAccess) {
        path = configuration.path(configuration.security.directory)
        self.files = files
    }

    var authorityKey: String { "\(path)/authority-key.pem" }
    var authorityCertificate: String { "\(path)/authority.pem" }
    /// The node's certificate and its key, in one file: a crash cannot part them.
    var node: String { "\(path)/node.pem" }
    /// The same of an operator on this machine.
    var client: String { "\(path)/client.pem" }

    /// Makes the folder, or checks that nobody else can look into the one that is there.
    func prepare() async throws(SecurityError) {
        try await mapping { () async throws(FileError) in
            try await files.createFolder(path, permissions: 0o700)
        }
        guard let attributes = try await attributes(of: path), attributes.isFolder else {
            throw .file(FileError(.notAFile, path))
        }
        try check(attributes, path, wanted: 0o700)
    }

    /// The text of a file that holds a key; `nil` when it is not there.
    func secret(_ file: String) async throws(SecurityError) -> String? {
        guard let attributes = try await attributes(of: file) else { return nil }
        try check(attributes, file, wanted: 0o600)
        return try await text(file)
    }

    /// The text of a file that everybody may see; `nil` when it is not there.
    func open(_ file: String) async throws(SecurityError) -> String? {
        guard try await attributes(of: file) != nil else { return nil }
        return try await text(file)
    }

    func write(_ text: String, to file: String, permissions: UInt16) async throws(SecurityError) {
        try await mapping { () async throws(FileError) in
            try await files.replace(file, with: Array(text.utf8), permissions: permissions)
        }
    }

    private func attributes(of file: String) async throws(SecurityError) -> FileAttributes? {
        try await mapping { () async throws(FileError) in try await files.attributes(of: file) }
    }

    private func text(_ file: String) async throws(SecurityError) -> String {
        let bytes = try await mapping { () async throws(FileError) in
            try await files.read(file, limit: SecurityFolder.sizeLimit)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .damaged(path: file, what: "it is no text")
        }
        return text
    }

    private func check(
        _ attributes: FileAttributes,
        _ path: String,
        wanted: UInt16
    ) throws(SecurityError) {
        guard attributes.permissions & 0o077 == 0 else {
            throw .tooOpen(path: path, permissions: attributes.permissions, wanted: wanted)
        }
    }

    private func mapping<Value>(
        _ body: () async throws(FileError) -> Value
    ) async throws(SecurityError) -> Value {
        do throws(FileError) {
            return try await body()
        } catch {
            throw .file(error)
        }
    }
}
