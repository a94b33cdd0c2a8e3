/// Hears of every durable step right before and right after it; may end the process there.
///
/// On a host the process kills itself, under virtual time the modelled host stops: in both worlds
/// nothing of this node runs afterwards, and what was not durable is gone.
public protocol CrashPoints: Sendable {
    /// Throws when the host crashed here.
    func reached(_ point: CrashPoint) async throws
}

/// A place at which a node can crash.
public struct CrashPoint: Hashable, Sendable, CustomStringConvertible {
    /// The durable step's name, for example `security.authority`.
    public var step: String
    public var side: Side

    public enum Side: String, Hashable, Sendable, CaseIterable, Codable {
        /// Nothing of the step is done.
        case before
        /// The step is done and durable, but nobody has heard of it.
        case after
    }

    public init(step: String, side: Side) {
        self.step = step
        self.side = side
    }

    /// Reads `security.authority:before`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
            let side = Side(rawValue: String(text[text.index(after: colon)...]))
        else { return nil }
        self.init(step: String(text[..<colon]), side: side)
    }

    public var description: String { "\(step):\(side.rawValue)" }
}

/// No crash anywhere.
public struct NoCrashPoints: CrashPoints {
    public init() {}

    public func reached(_ point: CrashPoint) async throws {}
}
