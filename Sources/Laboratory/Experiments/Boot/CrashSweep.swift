import Effects
import Initialization
import Measurements
import Scenarios
import SimulatedEffects
import SimulationKernel
import Units

/// Crashes a node at every durable step, or at every write operation, each on a fresh host, and boots
/// it again.
///
/// A first life without a crash tells where crashes can be put: from its start over READY to its
/// orderly end. Then, for each place, one life crashes there and the next one must be READY.
final class CrashSweep: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    private let world: BootWorld
    private let node: NodeID
    private var markers: [Marker] = []
    private var tried = 0
    private var lost: [Violation] = []
    private var identityChecks: UInt64 = 0
    private var identityViolations: [Violation] = []
    private var databaseChecks: UInt64 = 0
    private var databaseViolations: [Violation] = []

    /// A place, and how it is called in markers.
    private struct Place {
        var plan: CrashPlan
        var name: String
    }

    init(_ world: BootWorld) {
        self.world = world
        node = world.workload.nodes(in: world.setting.scenario.topology)[0]
    }

    /// Starts the sweep; the executor's driver carries it out.
    func begin() {
        world.isSweeping = true
        world.executor.start { [self] in
            await run()
            world.isSweeping = false
        }
    }

    private func run() async {
        let host = world.makeHost(node)
        let number = await world.prepare(host)
        let whole = await live(on: host, incarnation: number, .never)
        guard whole.isReady, whole.process.isAlive else {
            lost.append(
                Violation(time: world.executor.now, message: "\(node) is not READY without a crash")
            )
            return
        }
        for place in places(of: whole.process) { await visit(place) }
    }

    private func places(of process: SimulatedProcess) -> [Place] {
        switch world.workload.crashPoints {
        case .none: []
        case .everyStep:
            process.crashPoints.all.map { Place(plan: .point($0), name: $0.description) }
        case .everyDiskOperation:
            (0..<process.diskOperationCount).flatMap { number in
                CrashPlan.DiskMoment.allCases.map { moment in
                    Place(
                        plan: .diskOperation(number + 1, moment),
                        name: "disk operation \(number + 1):\(moment.rawValue)"
                    )
                }
            }
        }
    }

    /// One crash and the boot after it.
    private func visit(_ place: Place) async {
        tried += 1
        let host = world.makeHost(node)
        let number = await world.prepare(host)
        let first = await live(on: host, incarnation: number, place.plan)
        guard !first.process.isAlive else {
            first.process.end()
            return note(place, survived: false, "was never reached")
        }
        let before = NodeIdentity(host.disk)
        let second = await live(on: host, incarnation: number + 1, .never)
        second.process.end()
        note(place, survived: second.isReady, "the next boot was not READY")
        guard second.isReady, !world.isModelled else { return }
        identityChecks += 1
        let after = NodeIdentity(host.disk)
        if let difference = after.difference(from: before) {
            identityViolations.append(
                Violation(time: world.executor.now, message: "\(place.name): \(difference)")
            )
        }
        await checkDatabase(on: host, place)
    }

    private func live(
        on host: SimulatedHost,
        incarnation: UInt32,
        _ plan: CrashPlan
    ) async -> NodeLife {
        if !world.isModelled { RealGraph.configure(host, isTorn: false) }
        let process = host.startProcess(incarnation: incarnation, crash: plan)
        let life = NodeLife(world, process: process)
        await life.run()
        world.figures.add(life, end: world.executor.now)
        return life
    }

    private func note(_ place: Place, survived: Bool, _ problem: String) {
        let now = world.executor.now
        markers.append(
            Marker(
                time: now,
                node: node.description,
                kind: Marker.crashPoint,
                text: place.name,
                fields: [Field(Marker.survivedField, survived ? 1 : 0)]
            )
        )
        if !survived { lost.append(Violation(time: now, message: "\(place.name): \(problem)")) }
    }

    /// Opens the node's database as an operator would and lets it check itself.
    private func checkDatabase(on host: SimulatedHost, _ place: Place) async {
        databaseChecks += 1
        let process = host.startProcess(incarnation: 9)
        let problem = await process.run { await RealGraph.databaseProblem(process.effects) } ?? nil
        process.end()
        guard let problem else { return }
        databaseViolations.append(
            Violation(time: world.executor.now, message: "\(place.name): \(problem)")
        )
    }

    func write(into record: inout RunRecord) {
        record.markers += markers
        record.invariants.append(
            InvariantOutcome(
                name: Scenario.Invariant.bootSurvivesCrashPoints.rawValue,
                checked: UInt64(tried),
                violations: lost
            )
        )
        if !world.isModelled {
            record.invariants += [
                InvariantOutcome(
                    name: Scenario.Invariant.identitySurvivesCrashes.rawValue,
                    checked: identityChecks,
                    violations: identityViolations
                ),
                InvariantOutcome(
                    name: Scenario.Invariant.noHalfMigration.rawValue,
                    checked: databaseChecks,
                    violations: databaseViolations
                ),
            ]
        }
        record.facts.append(
            Fact("crash points", "\(tried - lost.count) of \(tried) survived, each on a new host")
        )
    }
}

/// What makes a node the same node after a crash: its certificate authority, as far as it is durable.
struct NodeIdentity {
    private let files: [(path: String, bytes: [UInt8])]

    init(_ disk: SimulatedDisk) {
        files = disk.paths.filter { $0.contains("/security/authority") }.compactMap { path in
            disk.durableContents(of: path).map { (path, $0) }
        }
    }

    /// What is gone or different although it was durable before; `nil` when nothing is.
    func difference(from before: NodeIdentity) -> String? {
        for file in before.files {
            guard let now = files.first(where: { $0.path == file.path }) else {
                return "\(file.path) is gone"
            }
            if now.bytes != file.bytes { return "\(file.path) is another one" }
        }
        return nil
    }
}
