import Crypto
import Foundation
import GRDBSQLite
import RealNodes
import SwiftASN1
import Testing
import X509

/// Goal: what a node finds damaged, foreign or newer it refuses without touching it, when it cannot go
/// on without it, and replaces when it can.
/// Method: the built daemon in the folder of an earlier life in which one file was spoiled; then the
/// file is put back, and the node must boot.
@Suite struct DataFaultTests {
    /// Spoils a file, expects code and words, and puts the file back.
    private func refuses(
        _ name: String,
        _ code: Int32,
        _ words: String,
        location: SourceLocation = #_sourceLocation,
        spoil: (Daemon) throws -> Void
    ) throws {
        let daemon = try Daemon.lived()
        let file = URL(filePath: daemon.path(name))
        let content = try Data(contentsOf: file)
        try spoil(daemon)
        let spoilt = try? Data(contentsOf: file)
        try Fault(daemon).expectRefusal(code, words, location: location)
        // SQLite may tidy its own file up when it is opened.
        if !name.hasSuffix(".sqlite") {
            #expect((try? Data(contentsOf: file)) == spoilt, sourceLocation: location)
        }
        try content.write(to: file)
        try FileManager.default.setAttributes(
            [.posixPermissions: name.hasSuffix("authority.pem") ? 0o644 : 0o600],
            ofItemAtPath: file.path
        )
        try Fault(daemon).expectReady(location: location)
    }

    // MARK: Security

    @Test(
        arguments: [
            "security/authority-key.pem", "security/authority.pem", "security/node.pem",
        ]
    )
    func aDamagedSecretIs69(name: String) throws {
        try refuses(name, 69, "is damaged") { daemon in
            let whole = try Data(contentsOf: URL(filePath: daemon.path(name)))
            try daemon.write(whole.prefix(whole.count / 2), to: name)
        }
    }

    @Test(arguments: ["security/authority-key.pem", "security/node.pem"])
    func aSecretThatOthersMayReadIs69(name: String) throws {
        let daemon = try Daemon.lived()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644],
            ofItemAtPath: daemon.path(name)
        )
        let fault = try Fault(daemon)
        #expect(fault.boot.ready == nil && fault.boot.ending?.cause == .exit(69))
        #expect(fault.complaints.count { $0.contains("is open to others (644)") } == 1)
        // It says what to do and does not do it: somebody may have read the key.
        #expect(fault.boot.leftovers == ["\(daemon.path(name)) is a key and has permissions 644"])
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600],
            ofItemAtPath: daemon.path(name)
        )
        try Fault(daemon).expectReady()
    }

    @Test func aMissingKeyIs69AndNotMadeAnew() throws {
        try refuses("security/authority-key.pem", 69, "is missing") { daemon in
            try FileManager.default.removeItem(atPath: daemon.path("security/authority-key.pem"))
        }
    }

    @Test func aCertificateOfAnotherAuthorityIs69() throws {
        let other = try Daemon.lived()
        try refuses("security/node.pem", 69, "was not signed by") { daemon in
            try daemon.write(
                try Data(contentsOf: URL(filePath: other.path("security/node.pem"))),
                to: "security/node.pem"
            )
        }
    }

    @Test func aKeyOfAnotherAuthorityIs69() throws {
        let other = try Daemon.lived()
        try refuses("security/authority-key.pem", 69, "is not the key of") { daemon in
            try daemon.write(
                try Data(contentsOf: URL(filePath: other.path("security/authority-key.pem"))),
                to: "security/authority-key.pem"
            )
        }
    }

    /// Method: an authority from the future shows a clock that is far in the past; one that has ended
    /// is never replaced by itself.
    @Test(arguments: [(40.0, 50.0, "is valid only from"), (-20.0, -10.0, "was valid until")])
    func anAuthorityOfAnotherTimeIs69(from: Double, to: Double, words: String) throws {
        let daemon = try Daemon.lived()
        let files = ["security/authority.pem", "security/authority-key.pem"]
        let content = try files.map { try Data(contentsOf: URL(filePath: daemon.path($0))) }
        let year = 365.0 * 86_400
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("NovaCron authority of another time") }
        let authority = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: Date.now + from * year,
            notValidAfter: Date.now + to * year,
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        try daemon.write(try authority.serializeAsPEM().pemString.utf8, to: files[0])
        try daemon.write(key.pemRepresentation.utf8, to: files[1])
        try Fault(daemon).expectRefusal(69, words)
        for (file, content) in zip(files, content) { try daemon.write(content, to: file) }
        try Fault(daemon).expectReady()
    }

    // MARK: Database

    @Test func aDatabaseThatIsNoneIs74() throws {
        try refuses("node.sqlite", 74, "damaged or no database") { daemon in
            try daemon.write(Array(repeating: 0x41, count: 8192), to: "node.sqlite")
        }
    }

    @Test func aDatabaseWithADamagedPageIs74() throws {
        try refuses("node.sqlite", 74, "node.sqlite") { daemon in
            var bytes = try Data(contentsOf: URL(filePath: daemon.path("node.sqlite")))
            try #require(bytes.count > 8192)
            bytes.replaceSubrange(4096..<8192, with: Data(repeating: 0xA5, count: 4096))
            try daemon.write(bytes, to: "node.sqlite")
        }
    }

    @Test func aDatabaseOfANewerVersionIs74AndKept() throws {
        try refuses("node.sqlite", 74, "newer version") { daemon in
            try daemon.execute(
                """
                INSERT INTO migration
                SELECT max(position) + 1, 'of-tomorrow', zeroblob(32), 0 FROM migration;
                PRAGMA wal_checkpoint(TRUNCATE);
                """
            )
        }
    }

    @Test func aDatabaseThatAnotherProcessHoldsIs74() throws {
        let daemon = try Daemon.lived(
            configuration: RealNode.freePorts + "database:\n  busy-timeout: 20 ms\n"
        )
        let holder = try daemon.database()
        try #require(sqlite3_exec(holder, "BEGIN EXCLUSIVE", nil, nil, nil) == SQLITE_OK)
        let fault = try Fault(daemon)
        #expect(fault.boot.ready == nil)
        #expect(fault.boot.ending?.cause == .exit(74), "\(fault.complaints)")
        #expect(fault.complaints.count { $0.contains("another process uses the database") } == 1)
        sqlite3_close_v2(holder)
        try Fault(daemon).expectReady()
    }

    // MARK: What a node can do without

    @Test(arguments: [0, 1, 20]) func aDamagedCacheIsColdOnly(kept: Int) throws {
        let daemon = try Daemon.lived()
        let whole = try Data(contentsOf: URL(filePath: daemon.path("cache.snapshot")))
        try daemon.write(whole.prefix(kept) + Data("garbage".utf8), to: "cache.snapshot")
        try Fault(daemon).expectReady(without: ["cache"])
        // The cold one was kept in order.
        try Fault(daemon).expectReady()
    }

    @Test func aDamagedListOfNodesOnlySaysSo() throws {
        let daemon = try Daemon.lived()
        try daemon.write("- {name: [\n".utf8, to: "nodes.yaml")
        try Fault(daemon).expectReady()
        #expect(daemon.node.errors.contains("nodes.yaml:"))
    }

    @Test(arguments: [0, 30, 100]) func aDamagedJournalBeginsAnew(kept: Int) throws {
        let daemon = try Daemon.lived()
        let whole = try Data(contentsOf: URL(filePath: daemon.path("boot.journal")))
        try daemon.write(whole.prefix(kept) + Data([0, 255, 10, 65]), to: "boot.journal")
        try Fault(daemon).expectReady()
    }
}

extension Daemon {
    func database() throws -> OpaquePointer {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path("node.sqlite"), &handle, SQLITE_OPEN_READWRITE, nil)
        try #require(code == SQLITE_OK)
        return try #require(handle)
    }

    /// Runs statements on the database of a node that does not run.
    func execute(_ script: String) throws {
        let handle = try database()
        defer { sqlite3_close_v2(handle) }
        let code = sqlite3_exec(handle, script, nil, nil, nil)
        try #require(code == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle)))")
    }
}
