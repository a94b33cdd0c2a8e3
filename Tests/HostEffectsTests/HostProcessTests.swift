import Effects
import Foundation
import HostEffects
import Testing
import Units

/// Goal: clock, machine, log, secrets and crash points of the host do what their protocols say.
/// Method: facts about this very process; pipes; a child process that has ended.
@Suite struct HostProcessTests {
    @Test func theClockMovesAndSleepsUntilItsDeadline() async throws {
        let clock = HostClock()
        let start = clock.now
        let deadline = start + .milliseconds(3)
        try await clock.sleep(until: deadline)
        #expect(clock.now >= deadline)
        try await clock.sleep(until: start)
        try await clock.sleep(for: .zero)
        #expect(clock.wallTime > WallTime(unixSeconds: 1_700_000_000))
    }

    @Test func aSleepThatIsCancelledEndsAtOnce() async {
        let task = Task { try await HostClock().sleep(until: .distantFuture) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await HostClock().sleep(for: .zero)
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }

    @Test func theMachineTellsWhatItHas() async throws {
        let world = HostWorld()
        let machine = world.effects.machine
        let resources = try await machine.resources()
        #expect(resources.cores >= 1 && resources.cores <= ProcessInfo.processInfo.processorCount)
        #expect(resources.memory > .mebibytes(64))
        #expect(resources.memory.bytes <= Int64(ProcessInfo.processInfo.physicalMemory))
        #expect(resources.openFiles >= 64)
        let usage = machine.usage()
        #expect(usage.cpu > .zero && usage.openFiles >= 3)
        #expect(usage.residentMemory > .mebibytes(1))
        #expect(usage.peakResidentMemory >= usage.residentMemory)
        #expect(machine.hostName == ProcessInfo.processInfo.hostName || !machine.hostName.isEmpty)
        #expect(machine.processID == ProcessInfo.processInfo.processIdentifier)
        let names = machine.environmentVariables.map(\.name)
        #expect(names.contains("PATH") && names == names.sorted())
        await world.shutdown()
    }

    @Test func aProcessThatHasEndedDoesNotRun() async throws {
        let world = HostWorld()
        let machine = world.effects.machine
        #expect(machine.isRunning(machine.processID))
        #expect(!machine.isRunning(0) && !machine.isRunning(-1))
        // Not waited for: the system still knows it, as a zombie.
        var ended: pid_t = 0
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
        #expect(posix_spawn(&ended, "/bin/true", nil, nil, arguments, nil) == 0)
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(ended), &information, WEXITED | WNOWAIT) == 0)
        #expect(kill(ended, 0) == 0)
        #expect(!machine.isRunning(ended))
        waitpid(ended, nil, 0)
        #expect(!machine.isRunning(ended))
        free(arguments[0])
        await world.shutdown()
    }

    @Test func linesOfTheLogStayWhole() async throws {
        let pipe = Pipe()
        let log = HostLog(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask { log.write("line \(number) \(String(repeating: "x", count: 200))") }
            }
        }
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd()!, as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 100 && lines.allSatisfy { $0.hasPrefix("line ") })
        #expect(Set(lines).count == 100)
        #expect(log.droppedLines == 0)
    }

    @Test func linesThatNobodyTakesAreDroppedAndCounted() async throws {
        let world = HostWorld()
        let gone = Pipe()
        let log = HostLog(descriptor: gone.fileHandleForWriting.fileDescriptor)
        try gone.fileHandleForReading.close()
        log.write("nobody reads this")
        #expect(log.droppedLines == 1)
        let full = Pipe()
        let stuck = HostLog(descriptor: full.fileHandleForWriting.fileDescriptor)
        let line = String(repeating: "y", count: 4000)
        var written = 0
        while stuck.droppedLines == 0, written < 1000 {
            stuck.write(line)
            written += 1
        }
        #expect(stuck.droppedLines == 1)
        await world.shutdown()
    }

    /// Longer than what a pipe takes in one piece: writing all of it at once would wait forever.
    @Test(arguments: [3000, 10_000, 200_000]) func aLongLineNeitherHangsNorSpoilsTheNext(
        length: Int
    ) throws {
        let pipe = Pipe()
        let log = HostLog(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        var written = 0
        while log.droppedLines == 0, written < 1000 {
            log.write(String(repeating: "l", count: length))
            written += 1
        }
        #expect(log.droppedLines == 1)
        var taken = pipe.fileHandleForReading.availableData
        log.write("next")
        try pipe.fileHandleForWriting.close()
        taken += try pipe.fileHandleForReading.readToEnd() ?? Data()
        let lines = String(decoding: taken, as: UTF8.self).split(separator: "\n")
        #expect(lines.last == "next")
        #expect(lines.count >= written)
    }

    @Test func secretsAreRandom() {
        let secrets = HostSecrets()
        let drawn = Set((0..<100).map { _ in secrets.randomBytes(16) })
        #expect(drawn.count == 100 && drawn.allSatisfy { $0.count == 16 })
        #expect(secrets.randomBytes(0) == [])
    }

    @Test func otherCrashPointsArePassed() async throws {
        let points = KillingCrashPoints(at: CrashPoint(step: "a.b", side: .before))
        try await points.reached(CrashPoint(step: "a.b", side: .after))
        try await points.reached(CrashPoint(step: "a.c", side: .before))
    }
}
