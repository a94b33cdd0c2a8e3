/// Whoever sets alarms on a `VirtualExecutor`: a model of something that tasks share.
public protocol AlarmTarget: AnyObject {
    /// The time of the alarm with that number has come. It runs outside of any task and may resume
    /// continuations and set further alarms.
    func ring(_ number: UInt32)
}

/// Names one alarm, so that it can be taken back; harmless once it has rung.
public struct VirtualAlarm: Hashable, Sendable {
    let token: EventToken
    let index: UInt32
}
