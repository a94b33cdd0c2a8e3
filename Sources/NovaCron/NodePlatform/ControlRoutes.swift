public import Effects
import Synchronization

/// What the control interface answers: other components add their handlers, before READY or later.
///
/// A pattern is a path whose segments in braces stand for any text: `/v1/tasks/{id}`. Patterns with
/// fewer such segments are preferred. Bound: 128 routes.
public final class ControlRoutes: Sendable {
    /// Answers one request.
    ///
    /// - Parameters:
    ///   - request: its `clientName` is the verified common name of who asks.
    ///   - parameters: texts of the pattern's segments in braces, in order.
    public typealias Handler =
        @Sendable (_ request: HTTPRequest, _ parameters: [String]) async -> HTTPResponse

    private struct Route: Sendable {
        var method: String
        /// `nil` stands for any text.
        var segments: [Substring?]
        var handler: Handler

        func parameters(of path: [Substring]) -> [String]? {
            guard path.count == segments.count else { return nil }
            var parameters: [String] = []
            for (segment, text) in zip(segments, path) {
                if let segment {
                    guard segment == text else { return nil }
                } else {
                    guard !text.isEmpty else { return nil }
                    parameters.append(String(text))
                }
            }
            return parameters
        }
    }

    private static let limit = 128
    private let routes = Mutex<[Route]>([])

    public init() {}

    /// Adds a handler, or replaces the one of the same method and pattern. Traps for a pattern that
    /// does not begin with `/`.
    public func register(_ method: String, _ pattern: String, _ handler: @escaping Handler) {
        precondition(pattern.hasPrefix("/"), "the pattern '\(pattern)' is no path")
        let segments = ControlRoutes.segments(pattern).map { segment -> Substring? in
            segment.hasPrefix("{") && segment.hasSuffix("}") ? nil : segment
        }
        let route = Route(method: method, segments: segments, handler: handler)
        routes.withLock { routes in
            routes.removeAll { $0.method == method && $0.segments == segments }
            precondition(routes.count < ControlRoutes.limit, "\(routes.count) routes")
            let place = routes.firstIndex {
                $0.segments.count { $0 == nil } > segments.count { $0 == nil }
            }
            routes.insert(route, at: place ?? routes.endIndex)
        }
    }

    /// Answers with the handler's answer, or 403 without a client's name, 404, or 405.
    public func answer(_ request: HTTPRequest) async -> HTTPResponse {
        guard request.clientName != nil else {
            return ControlRoutes.problem(403, "a client certificate with a common name is needed")
        }
        let path = ControlRoutes.segments(request.path)
        let found = routes.withLock { routes in
            routes.compactMap { route in route.parameters(of: path).map { (route, $0) } }
        }
        guard !found.isEmpty else { return ControlRoutes.problem(404, "there is nothing here") }
        guard let (route, parameters) = found.first(where: { $0.0.method == request.method }) else {
            let methods = found.map(\.0.method).joined(separator: ", ")
            return ControlRoutes.problem(405, "only these methods are answered here: \(methods)")
        }
        return await route.handler(request, parameters)
    }

    private static func segments(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }

    /// - Parameter text: without quotes and backslashes.
    private static func problem(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status,
            contentType: "application/json",
            body: Array("{\"error\":\"\(text)\"}\n".utf8)
        )
    }
}
