/// Everything that asynchronous code of a node may ask of the world it runs in.
///
/// Code that boots and serves a node reaches the world through this value only, so the same code
/// runs on a host (`HostEffects`) and under virtual time (`SimulatedEffects`), where time, disks,
/// networks and crashes are modelled. Protocol machines do not use it: they have inputs and actions.
public struct Effects: Sendable {
    public var clock: any EffectClock
    public var files: any FileAccess
    public var machine: any MachineAccess
    public var network: any NetworkAccess
    public var databases: any DatabaseAccess
    public var secrets: any SecretSource
    public var log: any LogSink
    /// Told of every durable step, so that a crash can be placed there.
    public var crashPoints: any CrashPoints

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
        self.clock = clock
        self.files = files
        self.machine = machine
        self.network = network
        self.databases = databases
        self.secrets = secrets
        self.log = log
        self.crashPoints = crashPoints
    }
}
