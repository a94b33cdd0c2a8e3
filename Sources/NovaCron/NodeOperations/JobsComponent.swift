import Determinism
import Effects
public import Initialization
import Logging
import NodeFoundation
import NodePlatform
import Synchronization
import Units

/// `jobs`: the node's background work by the calendar.
public final class JobsComponent: Component {
    public let specification = ComponentSpecification(
        name: "jobs",
        phase: .post,
        dependencies: [
            "configuration", "database.migrations", "orchestration.queue", "security.certificate",
        ],
        optionalDependencies: ["logger"],
        criticality: .degrade,
        timeout: .seconds(10)
    )
    private let scheduler = Mutex<JobScheduler?>(nil)

    /// How long finished tasks are kept for those who ask what became of them.
    static let retention = Interval.seconds(86_400)

    private let rotateCertificates: @Sendable (ComponentContext) async throws -> Void

    /// - Parameter rotateCertificates: renews what will end soon, with this component's context.
    public init(
        rotateCertificates: @escaping @Sendable (ComponentContext) async throws -> Void
    ) {
        self.rotateCertificates = rotateCertificates
    }

    public func initialize(_ context: ComponentContext) async throws {
        let settings = try context.require(NodeKeys.configuration).jobs
        let queue = try context.require(OperationsKeys.queue)
        var jobs: [JobScheduler.Job] = []
        for entry in settings.jobs {
            jobs.append(
                JobScheduler.Job(
                    name: entry.job.rawValue,
                    schedule: try CronExpression(entry.schedule),
                    run: try body(of: entry.job, queue, context)
                )
            )
        }
        let logger = try context.find(NodeKeys.logger)?.component(context.name)
        let scheduler = JobScheduler(
            jobs,
            queue: queue,
            jitter: settings.jitter,
            random: context.random("job jitter")
        ) { error in
            logger?.error("\(error)")
        }
        scheduler.register(in: try context.require(OperationsKeys.taskKinds))
        try await context.journal.step("jobs.plan") { try await scheduler.plan() }
        self.scheduler.withLock { $0 = scheduler }
    }

    public func serve(_ context: ComponentContext) async {
        await scheduler.withLock { $0 }?.serve()
    }

    public func stop(_ context: ComponentContext) async {
        scheduler.withLock { $0 = nil }
    }

    private func body(
        of job: BackgroundJob,
        _ queue: TaskQueue,
        _ context: ComponentContext
    ) throws -> @Sendable () async throws -> Void {
        let clock = context.effects.clock
        switch job {
        case .rotateCertificates:
            return { [rotateCertificates] in try await rotateCertificates(context) }
        case .pruneTasks:
            return {
                try await queue.prune(endedBefore: clock.wallTime + -JobsComponent.retention)
            }
        case .checkDatabase:
            let database = try context.require(PlatformKeys.database)
            return {
                let problems = try await database.integrityProblems()
                guard problems.isEmpty else { throw IntegrityError(problems: problems) }
            }
        }
    }
}

/// The integrity check has found something.
struct IntegrityError: Error, CustomStringConvertible {
    var problems: [String]

    var description: String {
        "the database is damaged: \(problems.prefix(10).joined(separator: "; "))"
    }
}
