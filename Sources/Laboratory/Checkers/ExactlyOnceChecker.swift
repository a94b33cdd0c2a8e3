public import Units

/// A client's request, by which a retry is recognised: the session and the number within it.
public struct RequestName: Hashable, Sendable {
    public var session: UInt64
    public var number: UInt64

    public init(session: UInt64, number: UInt64) {
        self.session = session
        self.number = number
    }
}

/// Whether every acknowledged request took effect exactly once in the sequence that replicas apply.
///
/// Replicas apply the same sequence, so what counts is at how many indices of it a request took
/// effect. A retry that a replica recognised and did not execute again took none. Memory is 24
/// bytes a request.
public struct ExactlyOnceChecker: Sendable {
    private var effects: [RequestName: UInt64] = [:]
    private var acknowledged: [RequestName: Instant] = [:]
    /// The first violations, at most ``limit``.
    public private(set) var violations: [Violation] = []
    public private(set) var violationCount = 0

    public static let limit = 64

    public enum Violation: Hashable, Sendable {
        /// The request took effect at two indices.
        case twice(RequestName, first: UInt64, second: UInt64, node: NodeID, time: Instant)
        /// The client heard that it was done, and no replica did it.
        case lost(RequestName, acknowledged: Instant)
    }

    public init() {}

    /// A replica executed the request at an index of the common sequence.
    public mutating func applied(
        _ request: RequestName,
        index: UInt64,
        at node: NodeID,
        time: Instant
    ) {
        guard let first = effects[request] else {
            effects[request] = index
            return
        }
        if first != index {
            report(.twice(request, first: first, second: index, node: node, time: time))
        }
    }

    /// A client heard that its request was done.
    public mutating func acknowledged(_ request: RequestName, time: Instant) {
        if acknowledged[request] == nil { acknowledged[request] = time }
    }

    /// After the last observation: reports what was acknowledged and never applied, oldest first.
    public mutating func finish() {
        let lost = acknowledged.filter { effects[$0.key] == nil }.sorted {
            ($0.value, $0.key.session, $0.key.number) < ($1.value, $1.key.session, $1.key.number)
        }
        for (request, time) in lost { report(.lost(request, acknowledged: time)) }
    }

    /// Acknowledged requests: what the check was about.
    public var checked: Int { acknowledged.count }

    private mutating func report(_ violation: Violation) {
        violationCount += 1
        if violations.count < ExactlyOnceChecker.limit { violations.append(violation) }
    }
}

extension ExactlyOnceChecker.Violation {
    public var time: Instant {
        switch self {
        case .twice(_, _, _, _, let time), .lost(_, let time): time
        }
    }

    public var sentence: String {
        switch self {
        case .twice(let request, let first, let second, let node, _):
            "\(request) took effect at index \(first) and again at \(second) on \(node)"
        case .lost(let request, let time):
            "\(request) was acknowledged at \(time) and never took effect"
        }
    }

    /// The kind of violation, equal for all seeds.
    public var signature: String {
        switch self {
        case .twice: "exactly-once: took effect twice"
        case .lost: "exactly-once: acknowledged and never took effect"
        }
    }
}

extension RequestName: CustomStringConvertible {
    public var description: String { "request \(number) of session \(session)" }
}
