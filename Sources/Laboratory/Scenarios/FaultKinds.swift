import HardwareModel
public import LinkModel
public import Units

extension FaultRule {
    /// Faults of links besides those that take them down, delay them or lose more.
    public enum LinkFault: Hashable, Sendable {
        /// A random delay on top of the links' own.
        case jitter(Scenario.Jitter)
        /// Packets that arrive twice; `correlation` of a packet's fate with its predecessor's.
        case duplicate(Ratio, correlation: Ratio)
        /// Packets that arrive with wrong bits, which checksums find.
        case corrupt(Ratio, correlation: Ratio)
        /// Packets that are late by `hold`, so that others overtake them.
        case reorder(Ratio, hold: Interval, correlation: Ratio)
        case bandwidth(Bandwidth)
        /// Along a trace, from its beginning; the content is known once it is attached.
        case trace(Scenario.TraceReference, RateTrace?)
        /// Queues are so many times as long; whoever fills them waits for it.
        case bufferbloat(factor: Double)
        /// Nothing passes for `outage`; then the way is longer by `delay`, until it heals.
        case routeChange(delay: Interval, outage: Interval)
        /// Up and down by turns: down for the share `down` of each period.
        case flap(Flapping)
    }

    /// What is left of a link's rate.
    public enum Bandwidth: Hashable, Sendable {
        case rate(BitRate)
        case share(Ratio)
    }

    /// A fault that comes and goes for as long as it lasts.
    public struct Flapping: Hashable, Sendable {
        public var period: Interval
        /// How much of each period the fault is there, from the period's beginning on; in (0, 1).
        public var share: Ratio

        public init(period: Interval, share: Ratio) {
            self.period = period
            self.share = share
        }
    }

    /// Faults of nodes besides those that crash, restart or pause them.
    public enum NodeFault: Hashable, Sendable {
        /// Power fails: nobody is told. The node starts again when it heals.
        case reboot(losingDisk: Bool)
        /// The process dies while its n-th batch from now on is being made durable.
        case crashAtWrite(Int)
        /// Jobs take `factor` times as long, and each input takes `step`.
        case slow(factor: Double, step: Interval)
        /// Memory is short: with a chance of `stalls` an input keeps the node busy for `stall`, while a page
        /// comes back, and with a chance of `kill` the process is killed before the fault ends.
        case memory(stalls: Ratio, stall: ClosedRange<Interval>, kill: Ratio)
        /// The selected nodes restart one after another, `gap` after the one before is back.
        case rollingUpgrade(gap: Interval)
    }

    /// Faults of a node's own monotonic clock.
    public enum ClockRule: Hashable, Sendable {
        /// It shows so much more or less while it lasts.
        case offset(ClosedRange<Interval>, Sense)
        /// It is set once and for all.
        case jump(ClosedRange<Interval>, Sense)
        /// It is fast or slow by this share.
        case drift(Ratio, Sense)
        /// It stands still, and goes on from where it stood.
        case freeze
        /// It is set forward and back by turns.
        case strobe(ClosedRange<Interval>, period: Interval)
    }

    /// Which way a clock goes wrong.
    public enum Sense: String, Hashable, Sendable, CaseIterable {
        /// Drawn for each occurrence.
        case either
        case forward
        /// A monotonic clock never goes back: it stands still until it would be past its reading
        /// again.
        case back
    }
}

extension FaultRule.LinkFault {
    var kind: String {
        switch self {
        case .jitter: "net.jitter"
        case .duplicate: "net.duplicate"
        case .corrupt: "net.corrupt"
        case .reorder: "net.reorder"
        case .bandwidth: "net.bandwidth"
        case .trace: "net.trace"
        case .bufferbloat: "net.bufferbloat"
        case .routeChange: "net.route-change"
        case .flap: "net.flap"
        }
    }
}

extension FaultRule.NodeFault {
    var kind: String {
        switch self {
        case .reboot: "node.reboot"
        case .crashAtWrite: "node.crash-at-write"
        case .slow: "node.slow-cpu"
        case .memory: "node.memory"
        case .rollingUpgrade: "node.rolling-upgrade"
        }
    }
}

extension FaultRule.ClockRule {
    var kind: String {
        switch self {
        case .offset: "clock.offset"
        case .jump: "clock.jump"
        case .drift: "clock.drift"
        case .freeze: "clock.freeze"
        case .strobe: "clock.strobe"
        }
    }
}

extension DiskFault {
    /// The word of the fault catalogue.
    var kind: String {
        switch self {
        case .latency: "disk.latency"
        case .error: "disk.error"
        case .full: "disk.full"
        case .tornWrites: "disk.torn-write"
        case .lostSyncs: "disk.lost-fsync"
        case .bitRot: "disk.bit-rot"
        case .misdirected: "disk.misdirected"
        }
    }
}

extension FaultRule.Action {
    /// Whether what a node was told is durable may be gone afterwards.
    public var losesData: Bool {
        switch self {
        case .node(.reboot(losingDisk: true)): true
        case .disk(let fault): fault.losesData
        default: false
        }
    }

    /// Whether it can strike whoever leads at its time: all that it does to a node follows from which
    /// node it is, and is over with it. A loss of data is planned by replica (the fault atlas).
    var canBeAimed: Bool {
        switch self {
        case .nodeCrash, .nodeRestart, .nodePause, .netClog, .netResetPeer, .clock: true
        case .netPartition(let mode, _): !mode.partsSelected
        case .node(let fault):
            switch fault {
            case .reboot(let losingDisk): !losingDisk
            case .crashAtWrite, .slow: true
            case .memory, .rollingUpgrade: false
            }
        case .disk(let fault): !fault.losesData
        case .netDown, .netDelay, .netLoss, .netBlackHole, .link, .netSwizzle, .boot: false
        }
    }

    /// Whether only a simulation can do it.
    public var needsSimulation: Bool {
        switch self {
        case .link(.trace, _): true
        case .nodeCrash, .nodeRestart, .nodePause, .netDown, .netDelay, .netLoss, .netBlackHole,
            .netPartition, .link, .boot, .node(.rollingUpgrade):
            false
        case .netClog, .netSwizzle, .netResetPeer, .clock, .disk, .node: true
        }
    }
}
