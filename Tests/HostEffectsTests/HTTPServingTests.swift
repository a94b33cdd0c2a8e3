import Effects
import Foundation
import HostEffects
import Synchronization
import Testing
import Units

/// Goal: a listener answers who may ask, within its limits, and refuses everybody else.
/// Method: a client that speaks bytes, over plain TCP and TLS, on free ports of the loopback interface.
@Suite(.timeLimit(.minutes(15))) struct HTTPServingTests {
    private let world = HostWorld()
    private let anywhere = SocketEndpoint(host: "127.0.0.1", port: 0)

    private func serve(
        identity: TLSIdentity? = nil,
        connections: Int = 10,
        requestBytes: Int = 1000,
        idle: Interval = .seconds(20),
        respond: @escaping @Sendable (HTTPRequest) async -> HTTPResponse = HTTPServingTests.echo
    ) async throws -> any NetworkListener {
        try await world.effects.network.serveHTTP(
            at: anywhere,
            identity: identity,
            limits: ListenerLimits(
                connections: connections,
                requestBytes: requestBytes,
                idleTimeout: idle
            ),
            respond: respond
        )
    }

    private static func echo(_ request: HTTPRequest) async -> HTTPResponse {
        let text = "\(request.method) \(request.path) \(request.clientName ?? "-") "
        return HTTPResponse(
            status: request.path == "/none" ? 404 : 200,
            contentType: "text/plain",
            body: Array(text.utf8) + request.body
        )
    }

    private static func get(_ path: String, method: String = "GET") -> String {
        "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    }

    private static func post(_ body: String) -> String {
        "POST /task HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            + "content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func requestsAreAnswered() async throws {
        let listener = try await serve()
        let at = listener.endpoint
        #expect(at.port != 0 && at.host == "127.0.0.1")
        let found = try await TestClient.ask(Self.get("/health/live?x=1"), of: at)
        #expect(found.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(found.hasSuffix("\r\n\r\nGET /health/live - "))
        let missing = try await TestClient.ask(Self.get("/none"), of: at)
        #expect(missing.hasPrefix("HTTP/1.1 404 "))
        let posted = try await TestClient.ask(Self.post("hello"), of: at)
        #expect(posted.hasSuffix("POST /task - hello"))
        let head = try await TestClient.ask(Self.get("/", method: "HEAD"), of: at)
        #expect(head.hasPrefix("HTTP/1.1 200") && head.hasSuffix("\r\n\r\n"))
        await listener.close()
        await world.shutdown()
    }

    private static let nonsense = [
        "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nx: \(String(repeating: "y", count: 40_000))\r\n\r\n",
    ]

    @Test(arguments: nonsense.indices)
    func nonsenseDoesNotHurt(number: Int) async throws {
        let listener = try await serve()
        let answer = try await TestClient.ask(Self.nonsense[number], of: listener.endpoint)
        #expect(!answer.hasPrefix("HTTP/1.1 200"))
        let next = try await TestClient.ask(Self.get("/"), of: listener.endpoint)
        #expect(next.hasPrefix("HTTP/1.1 200"))
        await listener.close()
        await world.shutdown()
    }

    @Test func aRequestThatIsTooLongIsRefused() async throws {
        let listener = try await serve(requestBytes: 100)
        let full = String(repeating: "z", count: 100)
        let taken = try await TestClient.ask(Self.post(full), of: listener.endpoint)
        #expect(taken.hasPrefix("HTTP/1.1 200"))
        let refused = try await TestClient.ask(Self.post(full + "z"), of: listener.endpoint)
        #expect(refused.hasPrefix("HTTP/1.1 413 "))
        await listener.close()
        await world.shutdown()
    }

    @Test func connectionsBeyondTheLimitAreRefused() async throws {
        let listener = try await serve(connections: 2)
        let first = try await TestClient(listener.endpoint)
        let second = try await TestClient(listener.endpoint)
        while listener.connectionCount < 2 { await Task.yield() }
        #expect(try await TestClient.ask(Self.get("/"), of: listener.endpoint) == "")
        await first.close()
        while listener.connectionCount > 1 { await Task.yield() }
        let answer = try await TestClient.ask(Self.get("/"), of: listener.endpoint)
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        await second.close()
        await listener.close()
        #expect(listener.connectionCount == 0)
        await world.shutdown()
    }

    @Test func whoSaysNothingIsCutOff() async throws {
        let listener = try await serve(idle: .milliseconds(50))
        #expect(try await TestClient.ask("", of: listener.endpoint) == "")
        #expect(try await TestClient.ask("GET / HT", of: listener.endpoint) == "")
        await listener.close()
        await world.shutdown()
    }

    @Test func whoIsCancelledGetsItsListenerToClose() async throws {
        let network = world.effects.network
        let limits = ListenerLimits(connections: 1, requestBytes: 1, idleTimeout: .seconds(1))
        let task = Task { [anywhere] in
            while !Task.isCancelled { await Task.yield() }
            let listener = try await network.serveHTTP(
                at: anywhere,
                identity: nil,
                limits: limits,
                respond: HTTPServingTests.echo
            )
            await listener.close()
            return listener.endpoint
        }
        task.cancel()
        let endpoint = try await task.value
        // Nobody listens there any more.
        await #expect(throws: (any Error).self) { try await TestClient(endpoint) }
        await world.shutdown()
    }

    @Test func slowClientsAreCutOff() async throws {
        let listener = try await serve(requestBytes: 1 << 10, idle: .milliseconds(200))
        let client = try await TestClient(listener.endpoint)
        // On a busy machine the time may be over before the client has begun.
        try? await client.send(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n"
        )
        async let answer = client.rest()
        // It says something all the time, so it is never idle; it is cut off nevertheless.
        for _ in 0..<1000 {
            do {
                try await client.send("z")
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                break
            }
        }
        #expect(await answer.hasPrefix("HTTP/1.1 200") == false)
        while listener.connectionCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
        await listener.close()
        await world.shutdown()
    }

    @Test func whoTakesNoAnswersIsCutOff() async throws {
        let big = [UInt8](repeating: 0x7A, count: 1 << 20)
        let isAsked = AsyncStream.makeStream(of: Void.self)
        let listener = try await serve(idle: .seconds(1)) { _ in
            isAsked.continuation.finish()
            return HTTPResponse(status: 200, contentType: "text/plain", body: big)
        }
        let client = try await TestClient(listener.endpoint, reads: false)
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
        do {
            try await client.send(String(repeating: request, count: 100))
        } catch {
            // On a busy machine the time may be over before all is asked.
            isAsked.continuation.finish()
        }
        for await _ in isAsked.stream {}
        while listener.connectionCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        await client.close()
        await listener.close()
        await world.shutdown()
    }

    @Test(arguments: [0, 1, 5]) func halfARequestIsNone(bytes: Int) async throws {
        let asked = Mutex(0)
        let listener = try await serve { request in
            asked.withLock { $0 += 1 }
            return await HTTPServingTests.echo(request)
        }
        let client = try await TestClient(listener.endpoint)
        let body = String(repeating: "z", count: bytes)
        try await client.send(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n\(body)"
        )
        while listener.connectionCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        await client.close()
        while listener.connectionCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
        await listener.close()
        #expect(asked.withLock { $0 } == 0)
        await world.shutdown()
    }

    @Test func anOccupiedPortIsSaidToBeSo() async throws {
        let listener = try await serve()
        let network = world.effects.network
        let limits = ListenerLimits(connections: 1, requestBytes: 1, idleTimeout: .seconds(1))
        let error = await #expect(throws: NetworkError.self) {
            _ = try await network.serveHTTP(
                at: listener.endpoint,
                identity: nil,
                limits: limits,
                respond: HTTPServingTests.echo
            )
        }
        #expect(error == NetworkError(.portOccupied, listener.endpoint))
        await listener.close()
        let again = try await network.serveHTTP(
            at: listener.endpoint,
            identity: nil,
            limits: limits,
            respond: HTTPServingTests.echo
        )
        await again.close()
        await world.shutdown()
    }

    @Test func badIdentitiesAndNamesAreErrors() async throws {
        let authority = try TestAuthority()
        var identity = try authority.identity("node", clients: authority)
        identity.privateKey = "no key"
        let error = await #expect(throws: NetworkError.self) { try await serve(identity: identity) }
        guard case .badIdentity = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
        let nowhere = SocketEndpoint(host: "no-such-host.invalid", port: 1)
        let unknown = await #expect(throws: NetworkError.self) {
            _ = try await world.effects.network.answerProbes(at: nowhere)
        }
        #expect(unknown?.reason == .unknownHost)
        await world.shutdown()
    }

    @Test func closingAnswersWhatIsUnderWay() async throws {
        let isAsked = AsyncStream.makeStream(of: Void.self)
        let mayAnswer = AsyncStream.makeStream(of: Void.self)
        let listener = try await serve { _ in
            isAsked.continuation.finish()
            for await _ in mayAnswer.stream {}
            return HTTPResponse(status: 200, contentType: "text/plain", body: Array("late".utf8))
        }
        async let answer = TestClient.ask(Self.get("/"), of: listener.endpoint)
        for await _ in isAsked.stream {}
        async let closed: Void = listener.close()
        // Nobody is accepted any more once the port is free, while the answer is still due.
        while (try? await TestClient(listener.endpoint)) != nil { await Task.yield() }
        mayAnswer.continuation.finish()
        #expect(try await answer.hasSuffix("late"))
        await closed
        await world.shutdown()
    }

    @Test func clientsAreKnownByTheirCertificates() async throws {
        let authority = try TestAuthority()
        let foreign = try TestAuthority()
        let listener = try await serve(identity: authority.identity("server", clients: authority))
        let at = listener.endpoint
        let request = Self.get("/")
        let known = try await TestClient.ask(
            request,
            of: at,
            trusting: authority,
            as: authority.identity("node-7")
        )
        #expect(known.hasSuffix("GET / node-7 "))
        let refused: [TLSIdentity?] = [
            nil, try foreign.identity("node-7"),
            try authority.identity("node-7", until: Date.now - 60),
        ]
        for identity in refused {
            let answer = try await TestClient.ask(
                request,
                of: at,
                trusting: authority,
                as: identity
            )
            #expect(answer == "")
        }
        // The other way round, a client recognises a server that is not its own.
        let distrusted = try await TestClient.ask(
            request,
            of: at,
            trusting: foreign,
            as: authority.identity("node-7")
        )
        #expect(distrusted == "")
        #expect(try await TestClient.ask(request, of: at).hasPrefix("HTTP/1.1 200") == false)
        await listener.close()
        await world.shutdown()
    }
}
