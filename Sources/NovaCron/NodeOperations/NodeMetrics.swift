public import Effects
public import Initialization
import Metrics
import Synchronization
import Units

/// The metrics that every node has, under the names of the plans: fed by the lifecycle's events and
/// by what the process uses.
public final class NodeMetrics: Sendable {
    private let factory: any MetricsFactory
    private let times = Mutex(Times())

    private struct Times {
        var boot: Instant?
        var phases: [BootPhase: Instant] = [:]
        var components: [String: Instant] = [:]
        var cpu = Interval.zero
    }

    public init(_ registry: PrometheusRegistry) {
        factory = registry
        for (name, help) in NodeMetrics.descriptions { registry.describe(name, help) }
    }

    private static let descriptions = [
        (
            "component_init_duration_seconds",
            "From a component's first attempt until it was ready or had failed for good."
        ),
        ("component_attempts_total", "Attempts to start a component."),
        ("component_failures_total", "Attempts to start a component that failed."),
        ("component_up", "Whether a component is there: 1 ready, 0 not."),
        (
            "phase_duration_seconds",
            "From the start of a phase's first component to the end of its last."
        ),
        ("total_boot_time_seconds", "From the boot's start to READY."),
        ("process_cpu_seconds_total", "User and system time of all threads."),
        ("process_resident_memory_bytes", "Memory that the process has in RAM."),
        ("process_open_fds", "Open files and sockets."),
        ("tasks_run_total", "Runs of queued tasks by how they ended."),
        ("task_queue_tasks", "Tasks in the queue by state."),
    ]

    /// Takes note of one event of the lifecycle. To be called in the order of the events.
    public func observe(_ event: LifecycleEvent) {
        switch event.kind {
        case .bootStarted:
            times.withLock { $0.boot = event.time }
        case .phaseStarted(let phase):
            times.withLock { $0.phases[phase] = event.time }
        case .phaseEnded(let phase):
            // A phase whose components were all skipped has never started.
            guard let start = times.withLock({ $0.phases[phase] }) else { return }
            gauge("phase_duration_seconds", "phase", phase.rawValue, (event.time - start).seconds)
        case .attemptStarted(let component, _):
            times.withLock { times in
                if times.components[component] == nil { times.components[component] = event.time }
            }
            count("component_attempts_total", component)
        case .attemptFailed(let component, _, _):
            count("component_failures_total", component)
        case .componentReady(let component, _):
            settled(component, at: event.time)
            gauge("component_up", "component", component, 1)
        case .componentFailed(let component, _, _):
            settled(component, at: event.time)
            gauge("component_up", "component", component, 0)
        case .componentSkipped(let component, _, _), .componentStopped(let component):
            gauge("component_up", "component", component, 0)
        case .ready:
            guard let start = times.withLock({ $0.boot }) else { return }
            Gauge(label: "total_boot_time_seconds", factory: factory)
                .record((event.time - start).seconds)
        case .checkpoint, .retryScheduled, .fallbackStarted, .bootCompleted, .bootFailed,
            .bootDeadlineExceeded, .stopRequested, .rollbackStarted, .rollbackEnded,
            .drainStarted, .drainEnded, .componentStopping, .shutdownEnded:
            break
        }
    }

    /// Takes note of what the process uses.
    public func record(_ usage: ProcessUsage) {
        let new = times.withLock { times in
            defer { times.cpu = max(times.cpu, usage.cpu) }
            return max(.zero, usage.cpu - times.cpu)
        }
        FloatingPointCounter(label: "process_cpu_seconds_total", factory: factory)
            .increment(by: new.seconds)
        Gauge(label: "process_resident_memory_bytes", factory: factory)
            .record(usage.residentMemory.bytes)
        Gauge(label: "process_open_fds", factory: factory).record(usage.openFiles)
    }

    private func settled(_ component: String, at time: Instant) {
        guard let start = times.withLock({ $0.components[component] }) else { return }
        let duration = (time - start).seconds
        gauge("component_init_duration_seconds", "component", component, duration)
    }

    private func gauge(_ name: String, _ label: String, _ value: String, _ number: Double) {
        Gauge(label: name, dimensions: [(label, value)], factory: factory).record(number)
    }

    private func count(_ name: String, _ component: String) {
        Counter(label: name, dimensions: [("component", component)], factory: factory).increment()
    }
}
