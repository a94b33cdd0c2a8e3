import DataSets
import Determinism
import Glibc
import Testing
import Units

/// Captures share the process's signal handlers, so they run one after the other.
@Suite(.serialized) struct CaptureTests {
    /// This test program again, running only the workload below: a real process of several threads
    /// that needs nothing but what is built here.
    static let workloadCommand = [
        "/usr/bin/env", "NOVALAB_TEST_WORKLOAD=1", "/proc/\(getpid())/exe",
        "--testing-library", "swift-testing", "--filter", "workloadProcess",
    ]

    static let smallWorkload = SQLiteWorkload.Settings(
        customers: 3_000,
        products: 1_000,
        orders: 10_000,
        duration: .seconds(60)
    )

    /// Not a test by itself: the process that the others capture.
    @Test(.enabled(if: getenv("NOVALAB_TEST_WORKLOAD") != nil, "only runs when captured"))
    func workloadProcess() throws {
        try SQLiteWorkload.run(CaptureTests.smallWorkload)
    }

    private func error(_ body: () throws -> Void) -> DataSetError? {
        do {
            try body()
            return nil
        } catch {
            return error as? DataSetError
        }
    }

    private func waitForReadiness(of child: inout ChildProcess) -> Bool {
        var pending: [UInt8] = []
        for _ in 0..<1_500 {
            if child.drainOutput(lookingFor: SQLiteWorkload.readyLine, in: &pending) { return true }
            if child.checkForEnd() != nil { return false }
            usleep(20_000)
        }
        return false
    }

    /// Goal: a command is started, captured when it is ready, and ended. Method: the small workload;
    /// the snapshots must differ from one another, hold the shop's text, and keep their times.
    @Test func commandsAreCaptured() throws {
        var steps: [MemoryCapture.Progress] = []
        let capture = MemoryCapture(
            .command(CaptureTests.workloadCommand),
            name: "small",
            snapshots: 4,
            every: .milliseconds(150),
            readiness: .outputLine(SQLiteWorkload.readyLine, within: .seconds(60))
        )
        let set = try capture.run { steps.append($0) }
        #expect(set.snapshotCount == 4)
        #expect(set.memorySize > .mebibytes(3))
        #expect(steps.count == 5)
        for gap in 0..<3 {
            #expect(set.gaps[gap] >= .milliseconds(150))
            #expect(set.gaps[gap] < .seconds(20))
            #expect(!set.changedPages(acrossGap: gap).isEmpty)
            #expect(set.changedPages(acrossGap: gap).count < set.pageCount / 2)
        }
        #expect(set.regions.contains { $0.label == "[stack]" })
        let text = Array("@example.com".utf8)
        let isShop = (0..<set.pageCount).contains { number in
            set.page(snapshot: 3, number: number).contains(text)
        }
        #expect(isShop)
    }

    /// Goal: while a process is stopped nothing in its memory changes, and afterwards it goes on.
    /// Method: the workload is stopped, read twice 100 ms apart, continued, and read again.
    @Test func stoppingIsConsistentAndUndone() throws {
        var child = try ChildProcess(CaptureTests.workloadCommand)
        let isReady = waitForReadiness(of: &child)
        #expect(isReady)
        let process = try StoppableProcess(pid: child.pid)
        let memory = try ProcessMemory(pid: child.pid, limit: 1 << 20)
        var pool = PagePool()
        try process.stop()
        for thread in Samples.names(in: "/proc/\(child.pid)/task") {
            let status = ProcessStatus(path: "/proc/\(child.pid)/task/\(thread)/stat")
            #expect(status?.isStopped == true)
        }
        let first = try memory.snapshot(into: &pool)
        usleep(100_000)
        let second = try memory.snapshot(into: &pool)
        #expect(first == second)
        process.resume()
        usleep(200_000)
        #expect(ProcessStatus(path: "/proc/\(child.pid)/stat")?.isStopped == false)
        try process.stop()
        #expect(try memory.snapshot(into: &pool) != first)
        process.resume()
    }

    /// Goal: a process that was running before runs on after a capture, after one that was cancelled
    /// and after an interruption, and our own handlers are put back. Method: each in turn.
    @Test func processesGoOn() throws {
        var child = try ChildProcess(CaptureTests.workloadCommand)
        let isReady = waitForReadiness(of: &child)
        #expect(isReady)
        let capture = MemoryCapture(
            .process(child.pid),
            name: "running",
            snapshots: 3,
            every: .milliseconds(100),
            readiness: .after(.zero)
        )
        #expect(try capture.run().snapshotCount == 3)
        #expect(ProcessStatus(path: "/proc/\(child.pid)/stat")?.isStopped == false)

        var taken = 0
        let cancelled = error {
            _ = try capture.run(progress: { _ in taken += 1 }, isCancelled: { taken >= 2 })
        }
        #expect(cancelled == .interrupted)
        #expect(ProcessStatus(path: "/proc/\(child.pid)/stat")?.isStopped == false)

        var before = sigaction()
        sigaction(SIGINT, nil, &before)
        let interrupted = error {
            _ = try capture.run { if $0 != .waiting { kill(getpid(), SIGINT) } }
        }
        #expect(interrupted == .interrupted)
        #expect(interrupted?.exitCode == 130)
        var after = sigaction()
        sigaction(SIGINT, nil, &after)
        let same = withUnsafeBytes(of: &before) { old in
            withUnsafeBytes(of: &after) { new in old.prefix(8).elementsEqual(new.prefix(8)) }
        }
        #expect(same)
        #expect(ProcessStatus(path: "/proc/\(child.pid)/stat")?.isStopped == false)
        let ending = child.checkForEnd()
        #expect(ending == nil)
    }

    /// Goal: a started command does not outlive its capture. Method: it writes its number into a
    /// file; afterwards no such process is left.
    @Test func commandsAreEnded() throws {
        try Samples.withFolder { folder in
            let script = "echo $$ > \(folder)/pid; exec sleep 60"
            let capture = MemoryCapture(
                .command(["sh", "-c", script]),
                name: "sleep",
                snapshots: 2,
                every: .milliseconds(20),
                readiness: .after(.milliseconds(100))
            )
            _ = try capture.run()
            let text = String(decoding: Samples.read("\(folder)/pid"), as: UTF8.self)
            let pid = try #require(Int32(text.filter(\.isNumber)))
            #expect(kill(pid, 0) == -1)
            #expect(errno == ESRCH)
        }
    }

    /// Goal: what cannot be captured is told clearly. Method: one example of each error.
    @Test func errorsAreTold() throws {
        func capture(_ target: MemoryCapture.Target, snapshots: Int = 3) -> DataSetError? {
            error {
                let capture = MemoryCapture(
                    target,
                    name: "x",
                    snapshots: snapshots,
                    every: .milliseconds(200),
                    readiness: .after(.zero)
                )
                _ = try capture.run()
            }
        }
        let missing = capture(.command(["/no/such/program"]))
        #expect(
            missing
                == .cannotStart(command: "/no/such/program", reason: "No such file or directory")
        )
        let early = capture(.command(["sh", "-c", "sleep 0.3; echo out of luck >&2; exit 7"]))
        guard case .processEnded(_, let snapshots, 3, let ending) = early else {
            Issue.record("\(String(describing: early))")
            return
        }
        #expect((1...2).contains(snapshots))
        #expect(ending == "ended with code 7 (it said: out of luck)")
        #expect(capture(.process(getpid()))?.exitCode == 64)
        #expect(capture(.process(1))?.exitCode == 64)
        #expect(capture(.process(Int32.max - 7)) == .noSuchProcess(pid: Int32.max - 7))
        #expect(capture(.command(["sleep", "9"]), snapshots: 0)?.exitCode == 64)

        let child = try ChildProcess(["sleep", "30"])
        kill(child.pid, SIGSTOP)
        while ProcessStatus(path: "/proc/\(child.pid)/stat")?.isStopped == false { usleep(1_000) }
        #expect(capture(.process(child.pid))?.exitCode == 64)
    }

    /// Goal: the default set is captured on first use only, kept, listed, and read afterwards. Method:
    /// an empty folder and the small workload in the place of the large one.
    @Test func catalogueCapturesOnFirstUse() throws {
        try Samples.withFolder { folder in
            let catalogue = DataSetCatalogue(
                folder: folder,
                workloadCommand: CaptureTests.workloadCommand
            )
            let name = DataSetCatalogue.defaultName
            #expect(catalogue.list().map(\.place) == [.onFirstUse])
            #expect(throws: DataSetError.notFound(name: "nothing", known: [name])) {
                try catalogue.resolve("nothing")
            }
            for bad in ["", "../x", "A", ".hidden", "a/b"] {
                #expect(error { _ = try catalogue.resolve(bad) }?.exitCode == 64)
            }
            var steps = 0
            let set = try catalogue.resolve(name, snapshots: 2, every: .milliseconds(50)) { _ in
                steps += 1
            }
            #expect(steps == 3)
            #expect(catalogue.list().map(\.place) == [.captured])
            #expect(try catalogue.list()[0].header?.get().digest == set.digest)
            let again = try catalogue.resolve(name) { _ in steps += 1 }
            #expect(steps == 3)
            #expect(again.digest == set.digest)
            #expect(Samples.names(in: "\(folder)/captured") == ["\(name).novamem"])
        }
    }

    /// Goal: the workload is a sound SQLite database in a steady state. Method: 5,000 transactions,
    /// SQLite's own integrity check, and as many orders as before.
    @Test func workloadStaysSound() throws {
        var workload = try SQLiteWorkload(CaptureTests.smallWorkload)
        try workload.work(transactions: 5_000)
        let state = try workload.verify()
        #expect(state.isSound)
        #expect(state.orders == CaptureTests.smallWorkload.orders)
    }
}
