/// Everything that asynchronous code of a node may ask of the world it runs in.
///
/// Code that boots and serves a node reaches the world through this value only, so the same code
/// runs on a host (`HostEffects`) and under virtual time (`SimulatedEffects`), where time, disks,
/// networks and crashes are modelled. Protocol machines do not use it: they have inputs and actions.
public struct NodeEffects: Sendable {
    // Boxed: effects are handed on with every context, and copying eight existentials costs sixteen
    // reference counts.
    private var box: Box

    public var clock: any EffectClock {
        get { box.values.clock }
        set { change { $0.clock = newValue } }
    }
    public var files: any FileAccess {
        get { box.values.files }
        set { change { $0.files = newValue } }
    }
    public var machine: any MachineAccess {
        get { box.values.machine }
        set { change { $0.machine = newValue } }
    }
    public var network: any NetworkAccess {
        get { box.values.network }
        set { change { $0.network = newValue } }
    }
    public var databases: any DatabaseAccess {
        get { box.values.databases }
        set { change { $0.databases = newValue } }
    }
    public var secrets: any SecretSource {
        get { box.values.secrets }
        set { change { $0.secrets = newValue } }
    }
    public var log: any LogSink {
        get { box.values.log }
        set { change { $0.log = newValue } }
    }
    /// Told of every durable step, so that a crash can be placed there.
    public var crashPoints: any CrashPoints {
        get { box.values.crashPoints }
        set { change { $0.crashPoints = newValue } }
    }

    public init(
        clock: any EffectClock,
        files: any FileAccess,
        machine: any MachineAccess,
        network: any NetworkAccess,
        databases: any DatabaseAccess,
        secrets: any SecretSource,
        log: any LogSink,
        crashPoints: any CrashPoints = NoCrashPoints()
    ) {
        box = Box(
            Values(
                clock: clock,
                files: files,
                machine: machine,
                network: network,
                databases: databases,
                secrets: secrets,
                log: log,
                crashPoints: crashPoints
            )
        )
    }

    private mutating func change(_ body: (inout Values) -> Void) {
        var values = box.values
        body(&values)
        box = Box(values)
    }

    private struct Values: Sendable {
        var clock: any EffectClock
        var files: any FileAccess
        var machine: any MachineAccess
        var network: any NetworkAccess
        var databases: any DatabaseAccess
        var secrets: any SecretSource
        var log: any LogSink
        var crashPoints: any CrashPoints
    }

    private final class Box: Sendable {
        let values: Values

        init(_ values: Values) {
            self.values = values
        }
    }
}
