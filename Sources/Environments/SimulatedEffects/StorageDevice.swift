import Determinism
import HardwareModel
import SimulationKernel
import Units

/// The drive below a host's files and databases: what is given to it is done in order, takes the
/// time that the hardware profile says, and may be cut short by a crash.
final class StorageDevice: AlarmTarget, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    private let executor: VirtualExecutor
    private var model: DiskModel
    private var random: SeededRandom
    /// In the order in which they will be done.
    private var underWay: [Operation] = []
    /// Of the next operation's alarm; wraps around long after it has rung.
    private var nextNumber: UInt32 = 0

    init(_ profile: HardwareProfile, seed: UInt64, entity: EntityID, executor: VirtualExecutor) {
        self.executor = executor
        model = DiskModel(profile, at: executor.now)
        random = SeededRandom(seed: seed, entity: entity, purpose: "storage crash")
    }

    var slowdown: Double {
        get { model.slowdown }
        set { model.slowdown = newValue }
    }

    /// Runs `apply` once the bytes are durable and answers whether the process lives to see it. A
    /// crash before applies a part, or nothing, or all, by the seed.
    func write(
        _ bytes: Int,
        for process: SimulatedProcess,
        _ apply: @escaping (WriteExtent) -> Void
    ) async -> Bool {
        guard process.isAlive else { return false }
        let operation = Operation(process, apply)
        switch process.takeDiskOperation() {
        case .before:
            process.host.crash()
            return false
        case .during:
            underWay.append(operation)
            process.host.crash()
            return false
        case .after:
            guard await finish(operation, at: model.persist(ByteCount(bytes), at: executor.now))
            else { return false }
            process.host.crash()
            return false
        case nil:
            return await finish(operation, at: model.persist(ByteCount(bytes), at: executor.now))
        }
    }

    /// Runs `apply` at once: what it does is known to the system and not yet durable.
    func touch(for process: SimulatedProcess, _ apply: (WriteExtent) -> Void) -> Bool {
        guard process.isAlive else { return false }
        let moment = process.takeDiskOperation()
        switch moment {
        case .before: break
        case .during: apply(extentOfCrash())
        case .after, nil: apply(.whole)
        }
        if moment != nil { process.host.crash() }
        return process.isAlive
    }

    /// Waits as long as reading takes; whether the process lives to see it.
    func read(_ bytes: Int, for process: SimulatedProcess) async -> Bool {
        guard process.isAlive else { return false }
        let operation = Operation(process) { _ in }
        return await finish(operation, at: model.read(ByteCount(bytes), at: executor.now))
    }

    func ring(_ number: UInt32) {
        // Mostly the first: only reads that take no time overtake what was given before.
        guard let place = underWay.firstIndex(where: { $0.number == number }) else {
            preconditionFailure("storage operation \(number) rang after its end")
        }
        let operation = underWay.remove(at: place)
        operation.alarm = nil
        operation.end(.whole)
    }

    /// Decides what became of everything under way.
    func crash() {
        model.drop(at: executor.now)
        let cut = underWay
        underWay.removeAll()
        for operation in cut {
            if let alarm = operation.alarm { executor.cancelAlarm(alarm) }
            operation.end(extentOfCrash())
        }
    }

    /// Decides what became of one process's operations; others go on.
    func crash(of process: SimulatedProcess) {
        for operation in underWay where operation.process === process && !operation.isOver {
            operation.end(extentOfCrash())
        }
    }

    /// A random part of what a crash leaves undecided.
    func chooseLength(upTo count: Int) -> Int { Int(random.below(UInt64(count) + 1)) }

    func chooseOne<Value>(_ first: Value, _ second: Value) -> Value {
        random.below(2) == 0 ? first : second
    }

    private func extentOfCrash() -> WriteExtent {
        switch random.below(3) {
        case 0: .none
        case 1: .part(random.unit())
        default: .whole
        }
    }

    private func finish(_ operation: Operation, at time: Instant) async -> Bool {
        if time <= executor.now, underWay.isEmpty {
            operation.end(.whole)
        } else {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                operation.continuation = continuation
                underWay.append(operation)
                operation.number = nextNumber
                operation.alarm = executor.setAlarm(at: time, for: self, number: nextNumber)
                nextNumber &+= 1
            }
        }
        return operation.process.isAlive
    }

    /// waits → over, by its time or by a crash.
    private final class Operation: @unchecked Sendable {
        // Unchecked, because only the executor's thread uses it.
        let process: SimulatedProcess
        var continuation: UnsafeContinuation<Void, Never>?
        var alarm: VirtualAlarm?
        /// Of its alarm; `nil` without one.
        var number: UInt32?
        private var apply: ((WriteExtent) -> Void)?

        init(_ process: SimulatedProcess, _ apply: @escaping (WriteExtent) -> Void) {
            self.process = process
            self.apply = apply
        }

        var isOver: Bool { apply == nil }

        func end(_ extent: WriteExtent) {
            apply?(extent)
            apply = nil
            continuation?.resume()
            continuation = nil
        }
    }
}

/// How much of a write was done.
enum WriteExtent {
    case none
    /// A share of its bytes, from the beginning; atomic writes take it as none.
    case part(Double)
    case whole
}
