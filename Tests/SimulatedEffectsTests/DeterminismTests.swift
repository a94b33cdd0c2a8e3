import Determinism
import Effects
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: a seed decides everything, and different seeds show different orders.
/// Method: 1,000 seeds of a world in which tasks share cores, a service, a disk and a database,
/// each twice.
@Suite struct DeterminismTests {
    @Test func aSeedDecidesEverything() throws {
        var fingerprints: Set<Fingerprint> = []
        for seed in 0..<1000 as Range<UInt64> {
            let first = try fingerprint(seed)
            #expect(try fingerprint(seed) == first, "seed \(seed)")
            fingerprints.insert(first)
        }
        #expect(fingerprints.count >= 900)
    }

    private func fingerprint(_ seed: UInt64) throws -> Fingerprint {
        let world = ModelWorld(seed: seed)
        let executor = world.executor
        world.host.disk.placeFolder("/data")
        let service = SharedService(
            SharedService.Configuration(
                servers: 1,
                queueLimit: 3,
                serviceTime: .exponential(mean: .milliseconds(2)),
                timeout: .milliseconds(9)
            ),
            seed: seed,
            entity: EntityID(.experiment, 1),
            executor: executor
        )
        let operation = seed % 20 + 1
        _ = try world.run(crash: .diskOperation(operation, .during)) { process in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<8 as Range<Int64> {
                    group.addTask {
                        let text = await failure {
                            try await world.host.processors.run(.milliseconds(number % 3))
                            try await service.request(roundTrip: .microseconds(number * 100))
                            try await process.effects.files.append(
                                process.effects.secrets.randomBytes(4),
                                to: "/data/log",
                                synced: number % 2 == 0
                            )
                            try await process.effects.clock.sleep(for: .milliseconds(number))
                            try await process.effects.files.remove("/data/log")
                        }
                        executor.record("\(number) \(text ?? "done")")
                    }
                }
            }
        }
        for path in world.host.disk.paths {
            executor.record("\(path) \(world.host.disk.contents(of: path) ?? [])")
        }
        executor.record("\(service.figures)")
        return executor.fingerprint
    }
}
