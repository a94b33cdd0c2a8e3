import Effects
import Foundation
import HostEffects
import Testing
import Units

/// Goal: files of the host keep what `FileAccess` promises, and errors say what they mean.
/// Method: a folder of each test's own on the real disk; leftovers and rivals by hand.
@Suite final class HostFilesTests {
    private let folder: String
    private let world = HostWorld()
    private var files: any FileAccess { world.effects.files }

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "host-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        folder = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func reason(
        _ body: () async throws -> Void
    ) async throws -> FileError.Reason {
        try await #require(throws: FileError.self) { try await body() }.reason
    }

    @Test func whatIsReplacedIsReadAgain() async throws {
        let path = "\(folder)/state"
        #expect(try await files.attributes(of: path) == nil)
        try await files.replace(path, with: [1, 2, 3], permissions: 0o640)
        try await files.replace(path, with: [4], permissions: 0o600)
        #expect(try await files.read(path, limit: 1) == [4])
        let found = try await files.attributes(of: path)
        #expect(
            found
                == FileAttributes(isFolder: false, size: ByteCount(1 as Int64), permissions: 0o600)
        )
        #expect(try await files.names(in: folder) == ["state"])
        await world.shutdown()
    }

    @Test func whatAnInterruptedReplaceLeftIsHarmless() async throws {
        let path = "\(folder)/inner/state"
        try await files.createFolder("\(folder)/inner", permissions: 0o700)
        let leftover = "\(folder)/inner/.state.replacing"
        try Data([9, 9, 9, 9, 9]).write(to: URL(filePath: leftover))
        #expect(try await files.names(in: "\(folder)/inner") == [])
        try await files.replace(path, with: [1], permissions: 0o600)
        #expect(try await files.read(path, limit: 10) == [1])
        #expect(!FileManager.default.fileExists(atPath: leftover))
        try Data([9]).write(to: URL(filePath: leftover))
        try await files.remove(path)
        try await files.remove("\(folder)/inner")
        try await files.remove("\(folder)/inner")
        #expect(try await files.names(in: folder) == [])
        await world.shutdown()
    }

    @Test func manyReplacingAtOnceLeaveOneOfTheirContents() async throws {
        let path = "\(folder)/contested"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in UInt8(0)..<24 {
                group.addTask { [files] in
                    let bytes = [UInt8](repeating: number, count: 10_000)
                    try await files.replace(path, with: bytes, permissions: 0o600)
                }
            }
            try await group.waitForAll()
        }
        let bytes = try await files.read(path, limit: 10_000)
        #expect(bytes.count == 10_000 && Set(bytes).count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["contested"])
        await world.shutdown()
    }

    @Test func appendedBytesFollowEachOther() async throws {
        let path = "\(folder)/log"
        try await files.append([1, 2], to: path, synced: true)
        try await files.append([3], to: path, synced: false)
        try await files.append([], to: path, synced: true)
        #expect(try await files.read(path, limit: 100) == [1, 2, 3])
        #expect(try await files.attributes(of: path)?.permissions == 0o600)
        try await files.setPermissions(0o444, of: path)
        #expect(try await files.attributes(of: path)?.permissions == 0o444)
        await world.shutdown()
    }

    @Test func foldersAreCreatedWithThoseAbove() async throws {
        try await files.createFolder("\(folder)/a/b/c/", permissions: 0o750)
        for name in ["a", "a/b", "a/b/c"] {
            let found = try await files.attributes(of: "\(folder)/\(name)")
            #expect(found?.isFolder == true && found?.permissions == 0o750)
        }
        try await files.setPermissions(0o700, of: "\(folder)/a")
        try await files.createFolder("\(folder)/a", permissions: 0o755)
        #expect(try await files.attributes(of: "\(folder)/a")?.permissions == 0o700)
        await world.shutdown()
    }

    @Test func errorsNameTheirReason() async throws {
        let (files, folder) = (files, folder)
        let file = "\(folder)/file"
        try await files.append([1, 2, 3], to: file, synced: false)
        let cases: [(FileError.Reason, () async throws -> Void)] = [
            (.notFound, { _ = try await files.read("\(folder)/none", limit: 1) }),
            (.tooLarge(limit: 2), { _ = try await files.read(file, limit: 2) }),
            (.notAFile, { _ = try await files.read(folder, limit: 2) }),
            (.notAFile, { _ = try await files.read("\(file)/below", limit: 2) }),
            (.notAFile, { _ = try await files.read("/dev/null", limit: 2) }),
            (.notAFile, { try await files.createFolder(file, permissions: 0o700) }),
            (.notAFile, { try await files.createFolder("\(file)/a", permissions: 0o700) }),
            (.notFound, { _ = try await files.names(in: "\(folder)/none") }),
            (.full, { try await files.append([1], to: "/dev/full", synced: false) }),
            (.notFound, { try await files.replace("\(folder)/no/a", with: [], permissions: 0) }),
            (.notFound, { try await files.setPermissions(0, of: "\(folder)/none") }),
        ]
        for (expected, body) in cases {
            #expect(try await reason(body) == expected)
        }
        try await files.createFolder("\(folder)/full/inner", permissions: 0o700)
        guard case .failed = try await reason({ try await files.remove("\(folder)/full") }) else {
            Issue.record("a folder with something in it was removed")
            return
        }
        await world.shutdown()
    }

    @Test func aLockHasOneHolderWhoIsNamed() async throws {
        let path = "\(folder)/node.lock"
        let lock = try await files.lock(path)
        #expect(try await reason { _ = try await files.lock(path) } == .locked(holder: getpid()))
        await lock.release()
        await lock.release()
        let again = try await files.lock(path)
        await again.release()
        #expect(try await files.read(path, limit: 100) == [])
        await world.shutdown()
    }

    @Test func aLockEndsWithItsProcess() async throws {
        let path = "\(folder)/node.lock"
        let holder = Process()
        holder.executableURL = URL(filePath: "/usr/bin/flock")
        holder.arguments = ["--no-fork", path, "cat"]
        let input = Pipe()
        let output = Pipe()
        holder.standardInput = input
        holder.standardOutput = output
        try holder.run()
        // Once `cat` answers, it holds the lock.
        try input.fileHandleForWriting.write(contentsOf: Data("x".utf8))
        _ = try output.fileHandleForReading.read(upToCount: 1)
        #expect(try await reason { _ = try await files.lock(path) } == .locked(holder: nil))
        kill(holder.processIdentifier, SIGKILL)
        holder.waitUntilExit()
        let lock = try await files.lock(path)
        await lock.release()
        await world.shutdown()
    }

    @Test func theCapacityIsThatOfTheFileSystem() async throws {
        let there = try await files.capacity(at: folder)
        #expect(there.available > .zero && there.total > there.available)
        let later = try await files.capacity(at: "\(folder)/not/yet/there")
        #expect(later.total == there.total)
        await world.shutdown()
    }

    @Test func filesWorkInACancelledTask() async throws {
        let path = "\(folder)/late"
        let files = files
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await files.replace(path, with: [1], permissions: 0o600)
            return try await files.read(path, limit: 1)
        }
        task.cancel()
        #expect(try await task.value == [1])
        await world.shutdown()
    }
}
