import Determinism
public import SimulationKernel
public import Units

/// A service that many nodes depend on, for example a configuration store: servers that take
/// requests first come, first served, behind a network.
///
/// A client that gives up, by time-out or cancellation, leaves its request behind: the servers work
/// on it all the same, as servers do that nobody tells. That is what turns a thundering herd with
/// impatient clients into a lasting overload (Bronson et al., "Metastable Failures in Distributed
/// Systems", HotOS 2021).
///
/// Bounds: the queue holds `queueLimit` requests and refuses more; every request ends at its
/// time-out. Requests of one instant are taken in the order in which the executor ran their tasks.
/// To be used by tasks of the executor only.
public final class SharedService: AlarmTarget, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public struct Configuration: Hashable, Sendable {
        /// Requests that are worked on at a time; at least one.
        public var servers: Int
        /// Requests that may wait.
        public var queueLimit: Int
        public var serviceTime: ServiceTime
        /// After which a client gives up, counted from sending.
        public var timeout: Interval

        public init(servers: Int, queueLimit: Int, serviceTime: ServiceTime, timeout: Interval) {
            precondition(servers >= 1, "\(servers) servers")
            precondition(queueLimit >= 0, "a queue of \(queueLimit)")
            precondition(timeout > .zero, "a time-out of \(timeout)")
            self.servers = servers
            self.queueLimit = queueLimit
            self.serviceTime = serviceTime
            self.timeout = timeout
        }
    }

    /// up ↔ slow ↔ down, whenever `state` is set.
    public enum State: Hashable, Sendable {
        case up
        /// Requests taken from now on need so many times longer; at least one.
        case slow(Double)
        /// Going down loses every request at the service.
        case down(Silence)
    }

    /// What clients of a service that is down notice.
    public enum Silence: String, Hashable, Sendable, CaseIterable {
        /// The connection is refused, after one round trip; requests lost are noticed as early.
        case refuses
        /// Nothing: they wait for their time-out.
        case silent
    }

    public let configuration: Configuration
    public private(set) var figures = ServiceFigures()
    public var state = State.up {
        didSet {
            if case .slow(let factor) = state {
                precondition(factor >= 1, "a service slowed by \(factor)")
            }
            if case .down(let silence) = state { loseAll(silence) }
        }
    }

    private let executor: VirtualExecutor
    private var random: SeededRandom
    /// Requests whose fate is open, by the number that their alarms carry.
    private var requests: [Request?] = []
    private var freeNumbers: [UInt32] = []
    /// Waiting requests from `queueStart` on, first come first.
    private var queue: [Request] = []
    private var queueStart = 0
    private var working = 0

    /// - Parameter entity: names the service's random stream.
    public init(
        _ configuration: Configuration,
        seed: UInt64,
        entity: EntityID,
        executor: VirtualExecutor
    ) {
        self.configuration = configuration
        self.executor = executor
        random = SeededRandom(seed: seed, entity: entity, purpose: "service time")
    }

    /// Requests that wait for a server.
    public var queueLength: Int { queue.count - queueStart }

    /// Sends one request over a path with that round trip time and waits for the answer.
    ///
    /// - Throws: `ServiceError`, or `CancellationError` when the task is cancelled before the answer.
    public func request(roundTrip: Interval) async throws {
        precondition(roundTrip >= .zero, "a round trip of \(roundTrip)")
        let request = Request(roundTrip: roundTrip)
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.send(request, continuation)
            }
        } onCancel: {
            self.cancel(request)
        }
    }

    /// Alarms of requests carry twice their number, those of time-outs one more.
    public func ring(_ number: UInt32) {
        guard let request = requests[Int(number / 2)] else {
            preconditionFailure("request \(number / 2) rang after its end")
        }
        guard number % 2 == 0 else {
            request.timeoutAlarm = nil
            figures.timedOut += 1
            finish(request, .failure(ServiceError.timedOut))
            return
        }
        request.alarm = nil
        switch request.stage {
        case .travelling: arrive(request)
        case .waiting, .over:
            preconditionFailure("request \(number / 2) rang while \(request.stage)")
        case .working:
            working -= 1
            figures.served += 1
            figures.busy += request.serviceTime
            answer(request, nil)
            startWaiting()
        case .returning(let failure):
            if failure == nil, request.continuation != nil { figures.answered += 1 }
            request.stage = .over
            finish(request, failure.map { .failure($0) } ?? .success(()))
        }
    }

    // MARK: - The way of a request

    private func send(_ request: Request, _ continuation: Request.Continuation) {
        guard !request.isCancelled else {
            continuation.resume(throwing: CancellationError())
            return
        }
        request.continuation = continuation
        figures.sent += 1
        if let number = freeNumbers.popLast() {
            request.number = number
            requests[Int(number)] = request
        } else {
            request.number = UInt32(requests.count)
            requests.append(request)
        }
        request.timeoutAlarm = executor.setAlarm(
            at: executor.now.advanced(by: configuration.timeout),
            for: self,
            number: request.number * 2 + 1
        )
        ringLater(request, after: request.roundTrip / 2)
    }

    private func ringLater(_ request: Request, after wait: Interval) {
        request.alarm = executor.setAlarm(
            at: executor.now.advanced(by: wait),
            for: self,
            number: request.number * 2
        )
    }

    private func arrive(_ request: Request) {
        if case .down(let silence) = state {
            lose(request, silence)
            return
        }
        request.arrival = executor.now
        if working < configuration.servers {
            start(request)
        } else if queueLength < configuration.queueLimit {
            request.stage = .waiting
            queue.append(request)
            figures.longestQueue = max(figures.longestQueue, queueLength)
        } else {
            figures.refused += 1
            answer(request, .refused)
        }
    }

    private func start(_ request: Request) {
        let wait = executor.now - request.arrival
        figures.started += 1
        figures.totalWait += wait
        figures.longestWait = max(figures.longestWait, wait)
        var time = configuration.serviceTime.draw(&random)
        if case .slow(let factor) = state { time = time.slowed(by: factor) }
        request.stage = .working
        request.serviceTime = time
        working += 1
        ringLater(request, after: time)
    }

    private func startWaiting() {
        guard working < configuration.servers, queueStart < queue.count else { return }
        let request = queue[queueStart]
        queueStart += 1
        // Taking from the front of an array moves the rest, so it is done seldom.
        if queueStart == queue.count || queueStart >= 1024 && queueStart * 2 >= queue.count {
            queue.removeFirst(queueStart)
            queueStart = 0
        }
        start(request)
    }

    /// The answer travels back, unless nobody waits for it.
    private func answer(_ request: Request, _ failure: ServiceError?) {
        guard request.continuation != nil else { return end(request) }
        request.stage = .returning(failure)
        ringLater(request, after: request.roundTrip - request.roundTrip / 2)
    }

    private func lose(_ request: Request, _ silence: Silence) {
        figures.lost += 1
        switch silence {
        case .refuses: answer(request, .unavailable)
        case .silent: end(request)
        }
    }

    /// In the order of their numbers, which the run alone decides.
    private func loseAll(_ silence: Silence) {
        working = 0
        queue.removeAll(keepingCapacity: true)
        queueStart = 0
        for case let request? in requests {
            switch request.stage {
            case .travelling, .returning, .over: continue
            case .waiting, .working: break
            }
            if let alarm = request.alarm { executor.cancelAlarm(alarm) }
            request.alarm = nil
            lose(request, silence)
        }
    }

    private func cancel(_ request: Request) {
        request.isCancelled = true
        guard request.continuation != nil else { return }
        finish(request, .failure(CancellationError()))
    }

    /// The client goes on; the request may stay.
    private func finish(_ request: Request, _ result: Result<Void, any Error>) {
        if let alarm = request.timeoutAlarm { executor.cancelAlarm(alarm) }
        request.timeoutAlarm = nil
        request.continuation?.resume(with: result)
        request.continuation = nil
        if case .over = request.stage { forget(request) }
    }

    /// The request is over; its client may wait for the time-out yet.
    private func end(_ request: Request) {
        request.stage = .over
        if request.continuation == nil { forget(request) }
    }

    private func forget(_ request: Request) {
        requests[Int(request.number)] = nil
        freeNumbers.append(request.number)
    }

    /// travelling → waiting → working → returning → over; each may lead to one further on.
    private enum Stage {
        case travelling
        case waiting
        case working
        case returning(ServiceError?)
        /// Nothing of it is under way.
        case over
    }

    /// One call of `request`.
    private final class Request: @unchecked Sendable {
        typealias Continuation = UnsafeContinuation<Void, any Error>

        // Unchecked, because only the executor's thread uses it.
        let roundTrip: Interval
        var number: UInt32 = 0
        /// While the client waits.
        var continuation: Continuation?
        var isCancelled = false
        var stage = Stage.travelling
        var arrival = Instant.zero
        var serviceTime = Interval.zero
        var alarm: VirtualAlarm?
        var timeoutAlarm: VirtualAlarm?

        init(roundTrip: Interval) {
            self.roundTrip = roundTrip
        }
    }
}

/// What a service has done so far.
public struct ServiceFigures: Hashable, Sendable {
    /// Requests sent by clients.
    public var sent = 0
    /// Requests that a server has begun.
    public var started = 0
    public var served = 0
    /// Answers that found their client waiting.
    public var answered = 0
    /// Turned away because the queue was full.
    public var refused = 0
    /// Lost because the service was or went down.
    public var lost = 0
    /// Clients that gave up waiting.
    public var timedOut = 0
    public var longestQueue = 0
    /// In the queue, of requests that a server has begun.
    public var totalWait = Interval.zero
    public var longestWait = Interval.zero
    /// Time spent on served requests, summed over servers.
    public var busy = Interval.zero

    public init() {}
}

/// Why a shared service did not answer.
public enum ServiceError: String, Error, Hashable, Sendable, CustomStringConvertible {
    /// Its queue is full.
    case refused
    /// It is down and says so.
    case unavailable
    /// No answer came in time.
    case timedOut

    public var description: String {
        switch self {
        case .refused: "the service has too many requests"
        case .unavailable: "the service is down"
        case .timedOut: "the service did not answer in time"
        }
    }
}
