/// A value of the code under test that says in a few words what it is, for timelines; what does not
/// conform is described by its own description. Nothing on the path of an event asks.
public protocol TraceText {
    /// At most some forty characters, such as `append 7+3 term 2`.
    var traceText: String { get }
}

/// A machine that says in a few words what its stream bytes mean.
///
/// Machines that put messages of their own onto streams conform, so that a picture shows
/// `append 7+3 term 2` and not `214 B`.
public protocol StreamTraceText: Machine {
    /// What the whole messages in `bytes` are; `nil` where the bytes tell nothing. Bytes are a piece
    /// that one side wrote at a time.
    static func traceText(ofStream bytes: Bytes) -> String?
}
