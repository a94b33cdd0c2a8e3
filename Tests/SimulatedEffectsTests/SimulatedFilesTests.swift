import Determinism
import Effects
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: files of a simulated host behave as `FileAccess` says, with the errors of a system.
/// Method: calls by one process, one after the other, with the error of each.
@Suite struct SimulatedFilesTests {
    /// Goal: content, attributes, names and capacity are what was written.
    /// Method: write, look, change, remove.
    @Test func filesHoldWhatWasWritten() throws {
        let world = ModelWorld(fsync: .milliseconds(3))
        let done = try world.run { process in
            let files = process.effects.files
            do {
                try await files.createFolder("/var/lib/node", permissions: 0o700)
                try await files.createFolder("/var/lib/node", permissions: 0o755)
                try await files.replace("/var/lib/node/b", with: [1, 2], permissions: 0o640)
                #expect(process.effects.clock.now == .zero + .microseconds(3002))
                try await files.append([3], to: "/var/lib/node/b", synced: false)
                try await files.append([4], to: "/var/lib/node/b", synced: true)
                #expect(process.effects.clock.now == .zero + .microseconds(6003))
                try await files.append([], to: "/var/lib/node/a", synced: false)
                #expect(try await files.read("/var/lib/node/b", limit: 4) == [1, 2, 3, 4])
                #expect(try await files.names(in: "/var/lib/node") == ["a", "b"])
                #expect(try await files.names(in: "/") == ["var"])
                let file = try await files.attributes(of: "/var/lib/node/b")
                #expect(
                    file
                        == FileAttributes(
                            isFolder: false,
                            size: ByteCount(4 as Int64),
                            permissions: 0o640
                        )
                )
                let folder = try await files.attributes(of: "/var/lib/node")
                #expect(folder?.isFolder == true && folder?.permissions == 0o700)
                #expect(try await files.attributes(of: "/none") == nil)
                let capacity = try await files.capacity(at: "/")
                #expect(capacity.total - capacity.available == ByteCount(4 as Int64))
                try await files.remove("/var/lib/node/b")
                try await files.remove("/var/lib/node/b")
                try await files.remove("/var/lib/node/a")
                try await files.remove("/var/lib/node")
                #expect(try await files.names(in: "/var/lib") == [])
                #expect(try await files.capacity(at: "/").available == .mebibytes(1))
                return true
            } catch {
                Issue.record(error)
                return false
            }
        }
        #expect(done == true)
    }

    /// Goal: what cannot be done says why, and changes nothing.
    /// Method: one call for each reason.
    @Test func errorsSayWhy() throws {
        let world = ModelWorld()
        let disk = world.host.disk
        disk.place("/data/file", [1, 2, 3])
        disk.place("/data/secret", [1], permissions: 0o200)
        disk.place("/data/fixed", [1], permissions: 0o400)
        disk.placeFolder("/closed", permissions: 0o500)
        disk.placeFolder("/data/folder")
        let found = try world.run { process in
            let files = process.effects.files
            let big = [UInt8](repeating: 0, count: 2 << 20)
            return [
                await failure { _ = try await files.read("/none", limit: 9) },
                await failure { _ = try await files.read("/data/file", limit: 2) },
                await failure { _ = try await files.read("/data", limit: 2) },
                await failure { _ = try await files.read("/data/secret", limit: 9) },
                await failure { try await files.append([1], to: "/data/fixed", synced: true) },
                await failure {
                    try await files.replace("/closed/x", with: [], permissions: 0o600)
                },
                await failure { try await files.replace("/no/x", with: [], permissions: 0o600) },
                await failure {
                    try await files.replace("/data/folder", with: [], permissions: 0o600)
                },
                await failure { try await files.append(big, to: "/data/big", synced: false) },
                await failure {
                    try await files.replace("/data/big", with: big, permissions: 0o600)
                },
                await failure { try await files.createFolder("/data/file/x", permissions: 0o700) },
                await failure { try await files.remove("/data") },
                await failure { _ = try await files.names(in: "/data/file") },
                await failure { try await files.setPermissions(0o600, of: "/none") },
                await failure { _ = try await files.read("data/file", limit: 9) },
                await failure { _ = try await files.read("/data/../file", limit: 9) },
                // The owner may replace what may not be written.
                await failure {
                    try await files.replace("/data/fixed", with: [7], permissions: 0o400)
                },
            ]
        }
        let reasons: [FileError.Reason?] = [
            .notFound, .tooLarge(limit: 2), .notAFile, .denied, .denied, .denied, .notFound,
            .notAFile, .full, .full, .notAFile, .failed("the folder is not empty"), .notAFile,
            .notFound, .failed("is not an absolute path without dots"),
            .failed("is not an absolute path without dots"), nil,
        ]
        for (text, reason) in zip(found ?? [], reasons) {
            guard let reason else {
                #expect(text == nil)
                continue
            }
            #expect(text?.hasSuffix(FileError(reason, "").description) == true, "\(text ?? "none")")
        }
        #expect(found?.count == reasons.count)
        #expect(disk.contents(of: "/data/fixed") == [7])
    }

    /// Goal: injected errors hold for their paths, operations and times.
    /// Method: one fault for writes below a folder from 1 s to 2 s, and a slow disk.
    @Test func faultsHaveTheirPlaceAndTime() throws {
        let world = ModelWorld()
        let disk = world.host.disk
        disk.placeFolder("/data")
        disk.placeFolder("/database")
        disk.inject(
            DiskFault(
                at: "/data",
                .writes,
                .full,
                from: .zero + .seconds(1),
                until: .zero + .seconds(2)
            )
        )
        let found = try world.run { process in
            let files = process.effects.files
            let clock = process.effects.clock
            var found: [String?] = []
            for second in 0..<3 as Range<Int64> {
                try? await clock.sleep(until: .zero + .seconds(second))
                for path in ["/data/x", "/database/x"] {
                    found.append(
                        await failure { try await files.append([1], to: path, synced: true) }
                    )
                }
                found.append(await failure { _ = try await files.names(in: "/data") })
            }
            disk.slowdown = 10
            let start = clock.now
            try? await files.append([1], to: "/data/x", synced: true)
            found.append("\(clock.now - start)")
            return found
        }
        var expected = [String?](repeating: nil, count: 9)
        expected[3] = "/data/x: the disk is full"
        #expect(found == expected + ["10.01 ms"])
    }

    /// Goal: one process holds a lock at a time, and says who it is.
    /// Method: two processes; release, and an orderly end.
    @Test func locksAreExclusive() throws {
        let world = ModelWorld()
        world.host.disk.placeFolder("/data")
        let first = world.host.startProcess(incarnation: 0)
        let second = world.host.startProcess(incarnation: 1)
        let found = try world.executor.run { () -> [String?] in
            let one = try? await first.effects.files.lock("/data/lock")
            let refused = await failure { _ = try await second.effects.files.lock("/data/lock") }
            await one?.release()
            let taken = await failure { _ = try await second.effects.files.lock("/data/lock") }
            let again = await failure { _ = try await first.effects.files.lock("/data/lock") }
            // Released a second time, the lock stays with its new holder.
            await one?.release()
            #expect(world.host.disk.isLocked("/data/lock"))
            second.end()
            let last = await failure { _ = try await first.effects.files.lock("/data/lock") }
            return [refused, taken, again, last]
        }
        #expect(
            found == [
                "/data/lock: is locked by process 1000", nil,
                "/data/lock: is locked by process 1001", nil,
            ]
        )
    }

    /// Goal: only absolute paths without empty parts and dots are paths.
    /// Method: some of each kind, and 100,000 random ones, which never trap.
    @Test func pathsAreChecked() throws {
        let world = ModelWorld()
        let strange = ["", "a", "//", "/a//b", "/a/", "/.", "/..", "/a/./b", "/a/../b", "/\u{0}"]
        let fine = ["/", "/...", "/.a", "/a.", "/..a", "/ä/b"]
        _ = try world.run { process in
            let files = process.effects.files
            for path in strange {
                #expect(
                    await failure { _ = try await files.attributes(of: path) } != nil,
                    "\(path)"
                )
            }
            for path in fine + ["/" + String(repeating: "x", count: 255)] {
                #expect(
                    await failure { _ = try await files.attributes(of: path) } == nil,
                    "\(path)"
                )
            }
            let long = "/" + String(repeating: "x", count: 256)
            #expect(await failure { _ = try await files.attributes(of: long) } != nil)
            var random = SeededRandom(stateFrom: 5)
            let letters = Array("/.a\u{0}ä")
            for _ in 0..<100_000 {
                var path = ""
                for _ in 0..<random.below(8) { path.append(letters[Int(random.below(5))]) }
                let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                let isFine =
                    path == "/"
                    || path.hasPrefix("/") && !path.contains("\u{0}")
                        && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
                let error = await failure { _ = try await files.attributes(of: path) }
                if (error == nil) != isFine { Issue.record("'\(path)': \(error ?? "fine")") }
            }
        }
    }

    /// Goal: an operation that is under way ends as though the task were not cancelled.
    /// Method: cancel during a synced append.
    @Test func cancellationDoesNotCutOperations() throws {
        let world = ModelWorld()
        world.host.disk.placeFolder("/data")
        let error = try world.run { process in
            await withTaskGroup(of: String?.self) { group in
                group.addTask {
                    await failure {
                        try await process.effects.files.append([1, 2], to: "/data/x", synced: true)
                    }
                }
                try? await process.effects.clock.sleep(for: .microseconds(10))
                group.cancelAll()
                return await group.next()!
            }
        }
        #expect(error == .some(nil))
        #expect(world.host.disk.durableContents(of: "/data/x") == [1, 2])
        #expect(world.executor.now == .zero + .microseconds(1002))
    }
}
