import Determinism
import Effects
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: after a crash anywhere the disk holds what was promised, and only what can be.
/// Method: random operations on a few paths by three tasks at a time, a crash before, in and after
/// every single one of them; a list of the contents that each path may have is kept beside.
@Suite struct CrashTests {
    /// What a path may hold after a crash.
    enum Candidate {
        case absent
        /// The beginning of these bytes, at least so many of them.
        case beginning([UInt8], least: Int)

        func allows(_ content: [UInt8]?) -> Bool {
            switch self {
            case .absent: content == nil
            case .beginning(let bytes, let least):
                content.map { $0.count >= least && bytes.starts(with: $0) } ?? false
            }
        }
    }

    enum Operation {
        case replace([UInt8])
        case append([UInt8], synced: Bool)
        case remove
    }

    /// The promises about one path.
    struct Promise {
        var candidates: [Candidate] = [.absent]
        /// Position of what processes see; the others are older.
        var present: [UInt8]?

        mutating func take(_ operation: Operation) {
            switch operation {
            case .replace(let bytes):
                present = bytes
                candidates = [.beginning(bytes, least: bytes.count)]
            case .append(let bytes, let synced):
                let whole = (present ?? []) + bytes
                if synced {
                    candidates = [.beginning(whole, least: whole.count)]
                } else if present != nil, case .beginning(_, let least)? = candidates.last {
                    candidates[candidates.count - 1] = .beginning(whole, least: least)
                } else {
                    candidates.append(.beginning(whole, least: 0))
                }
                present = whole
            case .remove:
                guard present != nil else { return }
                present = nil
                candidates.append(.absent)
            }
        }
    }

    /// One task's operations on its own paths, with what was promised by those that returned.
    final class Writer: @unchecked Sendable {
        let paths: [String]
        let script: [(path: Int, Operation)]
        var promises: [Promise]
        /// What was under way when the writer ended.
        var underWay: (path: Int, Operation)?

        init(_ number: Int, seed: UInt64) {
            paths = (0..<2).map { "/data/w\(number)/f\($0)" }
            promises = Array(repeating: Promise(), count: 2)
            var random = SeededRandom(stateFrom: seed &* 31 &+ UInt64(number))
            script = (0..<6).map { _ in
                let bytes = (0..<Int(random.below(6))).map { _ in UInt8(random.below(250)) }
                let operation: Operation =
                    switch random.below(6) {
                    case 0, 1: .replace(bytes)
                    case 2: .append(bytes, synced: true)
                    case 3, 4: .append(bytes, synced: false)
                    default: .remove
                    }
                return (Int(random.below(2)), operation)
            }
        }

        func run(_ files: any FileAccess) async {
            for (path, operation) in script {
                underWay = (path, operation)
                do {
                    switch operation {
                    case .replace(let bytes):
                        try await files.replace(paths[path], with: bytes, permissions: 0o600)
                    case .append(let bytes, let synced):
                        try await files.append(bytes, to: paths[path], synced: synced)
                    case .remove: try await files.remove(paths[path])
                    }
                } catch {
                    #expect(error.reason == .crashed, "\(error)")
                    return
                }
                promises[path].take(operation)
                underWay = nil
            }
        }

        func check(_ disk: SimulatedDisk, _ place: String) {
            for path in paths.indices {
                let content = disk.contents(of: paths[path])
                var allowed = promises[path].candidates
                if let (target, operation) = underWay, target == path {
                    var promise = promises[path]
                    promise.take(operation)
                    allowed += promise.candidates
                    if case .append(let bytes, true) = operation {
                        // Torn: any beginning of the new bytes after what was there.
                        let old = promises[path].present ?? []
                        var torn = promises[path]
                        torn.take(.append(bytes, synced: false))
                        allowed += torn.candidates
                        #expect(torn.present == old + bytes)
                    }
                }
                #expect(
                    allowed.contains { $0.allows(content) },
                    "\(place): \(paths[path]) holds \(content as Any), allowed \(allowed)"
                )
            }
        }
    }

    private func writers(_ seed: UInt64) -> [Writer] { (0..<3).map { Writer($0, seed: seed) } }

    private func world(_ seed: UInt64) -> ModelWorld {
        let world = ModelWorld(seed: seed)
        for number in 0..<3 { world.host.disk.placeFolder("/data/w\(number)") }
        return world
    }

    private func work(_ world: ModelWorld, _ writers: [Writer], _ plan: CrashPlan) throws -> UInt64
    {
        let process = world.host.startProcess(incarnation: 0, crash: plan)
        let files = process.effects.files
        _ = try world.executor.run {
            await process.run {
                await withTaskGroup(of: Void.self) { group in
                    for writer in writers { group.addTask { await writer.run(files) } }
                }
            }
        }
        return process.diskOperationCount
    }

    @Test func promisesHoldWhereverTheHostCrashes() throws {
        var crashes = 0
        var kept = 0
        for seed in 0..<150 as Range<UInt64> {
            let whole = writers(seed)
            let operations = try work(world(seed), whole, .never)
            #expect(whole.allSatisfy { $0.underWay == nil })
            for number in 1...operations {
                for moment in CrashPlan.DiskMoment.allCases {
                    let world = world(seed)
                    let writers = writers(seed)
                    _ = try work(world, writers, .diskOperation(number, moment))
                    #expect(world.host.crashCount == 1)
                    let place = "seed \(seed), operation \(number), \(moment)"
                    for writer in writers { writer.check(world.host.disk, place) }
                    let paths = world.host.disk.paths
                    let contents = paths.map { world.host.disk.contents(of: $0) }
                    world.host.crash()
                    #expect(world.host.disk.paths == paths, "\(place)")
                    #expect(paths.map { world.host.disk.contents(of: $0) } == contents, "\(place)")
                    crashes += 1
                    kept += paths.count
                }
            }
        }
        // A disk that forgot everything, or nothing, would also keep simple promises.
        #expect(crashes > 5_000)
        #expect(kept > 5 * crashes && kept < 10 * crashes)
    }

    /// Goal: nothing of a process changes the disk after the crash, and it unwinds in no time.
    /// Method: a crash at a named point, with others asleep, computing and writing; then every effect
    /// is tried.
    @Test func aCrashEndsEverything() throws {
        let world = ModelWorld()
        let host = world.host
        host.disk.placeFolder("/data")
        let after = Collector<String>()
        let point = CrashPoint(step: "security.authority", side: .after)
        let value = try world.run(crash: .point(point)) { process in
            let effects = process.effects
            let lock = try? await effects.files.lock("/data/lock")
            let listener = try? await effects.network.answerProbes(
                at: SocketEndpoint(host: "node-0", port: 7000)
            )
            #expect(lock != nil && listener != nil)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await effects.clock.sleep(for: .seconds(100)) }
                group.addTask { try? await host.processors.run(.seconds(100)) }
                group.addTask {
                    try? await effects.clock.sleep(for: .seconds(1))
                    try? await effects.files.replace(
                        "/data/big",
                        with: Array(repeating: 1, count: 500_000),
                        permissions: 0o600
                    )
                }
                try? await effects.clock.sleep(for: .milliseconds(1200))
                for side in CrashPoint.Side.allCases {
                    let place = CrashPoint(step: "security.authority", side: side)
                    after.append(
                        await failure { try await effects.crashPoints.reached(place) } ?? "on"
                    )
                }
                await group.waitForAll()
            }
            after.append(
                await failure { _ = try await effects.files.read("/data/big", limit: 9) } ?? "on"
            )
            after.append(
                await failure {
                    try await effects.files.append([1], to: "/data/x", synced: false)
                } ?? "on"
            )
            after.append(
                await failure {
                    _ = try await effects.databases.open("/data/d", busyTimeout: .zero)
                }
                    ?? "on"
            )
            after.append(await failure { try await effects.clock.sleep(for: .seconds(1)) } ?? "on")
            after.append(await failure { _ = try await effects.machine.resources() } ?? "on")
            after.append(
                await failure {
                    _ = try await effects.network.answerProbes(
                        at: SocketEndpoint(host: "node-0", port: 7000)
                    )
                } ?? "on"
            )
            after.append(await failure { try await effects.crashPoints.reached(point) } ?? "on")
            #expect(
                process.crashPoints.all.map(\.description) == [
                    "security.authority:before", "security.authority:after",
                ]
            )
            return true
        }
        #expect(value == nil)
        #expect(world.executor.now == .zero + .milliseconds(1200))
        #expect(world.executor.nextWake == nil)
        #expect(after.values.first == "on")
        #expect(after.values.dropFirst().allSatisfy { $0 != "on" }, "\(after.values)")
        #expect(after.values.count == 9)
        #expect(host.disk.contents(of: "/data/x") == nil)
        #expect(!host.disk.isLocked("/data/lock"))
        #expect(host.ports.open.isEmpty && host.processors.jobCount == 0)
        let again = try world.run(incarnation: 1) { process in
            await failure { _ = try await process.effects.files.lock("/data/lock") }
        }
        #expect(again == .some(nil))
    }

    /// Goal: a killed process loses its locks and ports, and not what it wrote.
    /// Method: unsynced bytes survive the kill of their writer; the next writer takes the lock.
    @Test func killedProcessesKeepTheirBytes() throws {
        let world = ModelWorld()
        world.host.disk.placeFolder("/data")
        let process = world.host.startProcess(incarnation: 0)
        let value = try world.executor.run {
            await process.run {
                let files = process.effects.files
                _ = try? await files.lock("/data/lock")
                try? await files.append([1, 2, 3], to: "/data/log", synced: false)
                process.kill()
                try? await process.effects.clock.sleep(for: .seconds(9))
                return true
            }
        }
        #expect(value == nil && process.ending == .killed)
        #expect(world.executor.now == .zero)
        #expect(world.host.disk.contents(of: "/data/log") == [1, 2, 3])
        #expect(world.host.disk.durableContents(of: "/data/log") == nil)
        #expect(!world.host.disk.isLocked("/data/lock"))
        #expect(!world.host.processes.contains { $0 === process })
    }

    /// Goal: transactions are whole after every crash.
    /// Method: transfers between two accounts with a crash at every write; the sum stays, and what
    /// was answered is there.
    @Test func transactionsAreWhole() throws {
        for seed in 0..<20 as Range<UInt64> {
            for number in 1...9 as ClosedRange<UInt64> {
                for moment in CrashPlan.DiskMoment.allCases {
                    let world = ModelWorld(seed: seed)
                    world.host.disk.placeFolder("/data")
                    let answered = Collector<Int64>()
                    _ = try world.run(crash: .diskOperation(number, moment)) { process in
                        await transfer(process, answered)
                    }
                    // Without an answer there need not even be a table.
                    guard answered.values.count >= 1 else { continue }
                    let rows = try world.host.databases.rows(
                        at: "/data/bank",
                        "select sum(amount), max(moves) from account"
                    )
                    #expect(rows?[0][0].integer == 100)
                    let moves = rows?[0][1].integer ?? -1
                    let known = Int64(answered.values.count - 1)
                    #expect(moves == known || moves == known + 1, "\(seed) \(number) \(moment)")
                    let next = try world.run(incarnation: 1) { process in
                        let database = try? await process.effects.databases.open(
                            "/data/bank",
                            busyTimeout: .zero
                        )
                        return try? await database?.integrityProblems()
                    }
                    #expect(next == [])
                }
            }
        }
    }
}

/// Makes two accounts and moves money seven times; one number for each answer.
private func transfer(_ process: SimulatedProcess, _ answered: Collector<Int64>) async {
    do {
        let database = try await process.effects.databases.open("/data/bank", busyTimeout: .zero)
        try await database.transaction([
            SQLStatement("create table account(id integer, amount integer, moves integer)"),
            SQLStatement("insert into account values (1, 100, 0), (2, 0, 0)"),
        ])
        answered.append(0)
        for number in 1...7 as ClosedRange<Int64> {
            try await database.transaction([
                SQLStatement(
                    "update account set amount = amount - 1, moves = ? where id = 1",
                    [
                        .integer(number)
                    ]
                ),
                SQLStatement("update account set amount = amount + 1 where id = 2"),
            ])
            answered.append(number)
        }
    } catch {
        #expect(error.reason == .crashed, "\(error)")
    }
}
