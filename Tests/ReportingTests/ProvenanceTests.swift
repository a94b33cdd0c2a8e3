import Foundation
import Reporting
import Testing

/// Goal: provenance is read, never invented.
/// Method: gather it from this work tree and from places that have none.
@Suite struct ProvenanceTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func readsThisMachine() {
        let provenance = Provenance.gather(root: ProvenanceTests.root.path)
        if case .known(let commit) = provenance.commit {
            #expect(commit.count == 40 && commit.allSatisfy(\.isHexDigit))
        } else {
            // A source archive has no history; then the reason is stated.
            #expect(provenance.commit.description.hasPrefix("unknown: "))
        }
        guard case .known(let compiler) = provenance.compiler else {
            Issue.record("the tests were built without a compiler: \(provenance.compiler)")
            return
        }
        #expect(compiler.hasPrefix("Swift version"))
        #expect(provenance.coreCount >= 1)
        #expect(provenance.settings.map(\.name) == provenance.settings.map(\.name).sorted())
    }

    @Test func saysWhyACommitIsUnknown() {
        let provenance = Provenance.gather(root: "/nonexistent")
        guard case .unknown(let reason) = provenance.commit,
            case .unknown = provenance.isDirty
        else {
            Issue.record("invented a commit: \(provenance.commit)")
            return
        }
        #expect(reason.contains("git"))
    }

    @Test func noticesChangesThatAreNotCommitted() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "provenance-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let git = Process()
        git.executableURL = URL(filePath: "/usr/bin/env")
        git.arguments = ["git", "init", "--quiet", folder.path]
        try git.run()
        git.waitUntilExit()
        try #require(git.terminationStatus == 0)
        #expect(Provenance.gather(root: folder.path).isDirty == .known(false))
        try Data("x".utf8).write(to: folder.appending(path: "new.txt"))
        #expect(Provenance.gather(root: folder.path).isDirty == .known(true))
        // No commit exists yet, and none is made up.
        guard case .unknown = Provenance.gather(root: folder.path).commit else {
            Issue.record("invented a commit")
            return
        }
    }
}
