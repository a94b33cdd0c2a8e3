/// A machine that says in a few words what its stream bytes mean.
///
/// Only timelines ask; nothing on the path of an event does. Machines that put messages of their own
/// onto streams conform, so that a picture shows `append term 3` and not `214 B`. What datagrams,
/// timers and records are is told by their own descriptions.
public protocol StreamTraceText: Machine {
    /// What the whole messages in `bytes` are, in at most some forty characters; `nil` where the bytes
    /// tell nothing. Bytes are a piece that one side wrote at a time.
    static func traceText(ofStream bytes: Bytes) -> String?
}
