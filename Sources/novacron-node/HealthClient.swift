import Effects
import Glibc

/// Asks a node's health server, within a bounded time and answer.
struct HealthClient {
    let endpoint: SocketEndpoint
    private static let answerLimit = 1 << 20
    /// In seconds, for connecting and for each part of the answer.
    private static let patience = 3

    /// The body of the answer; `nil` when nobody answers as a health server does.
    func get(_ path: String) -> [UInt8]? {
        guard let channel = connect() else { return nil }
        defer { close(channel) }
        let request = "GET \(path) HTTP/1.1\r\nhost: \(endpoint)\r\nconnection: close\r\n\r\n"
        let bytes = Array(request.utf8)
        guard send(channel, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            return nil
        }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 14)
        while answer.count < HealthClient.answerLimit {
            let count = read(channel, &part, part.count)
            if count < 0 { return nil }
            if count == 0 { break }
            answer += part[..<count]
        }
        return HealthClient.body(of: answer)
    }

    /// Of an answer that says 200.
    static func body(of answer: [UInt8]) -> [UInt8]? {
        let success = Array("HTTP/1.1 200".utf8)
        guard answer.starts(with: success) else { return nil }
        let end: [UInt8] = [13, 10, 13, 10]
        for start in answer.indices.dropLast(3) where answer[start..<start + 4].elementsEqual(end) {
            return Array(answer[(start + 4)...])
        }
        return nil
    }

    private func connect() -> Int32? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(endpoint.host, "\(endpoint.port)", &hints, &found) == 0 else {
            return nil
        }
        defer { freeaddrinfo(found) }
        var next = found
        while let address = next?.pointee {
            next = address.ai_next
            let type = address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue)
            let channel = socket(address.ai_family, type, address.ai_protocol)
            guard channel >= 0 else { continue }
            var wait = timeval(tv_sec: HealthClient.patience, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
            setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &wait, size)
            if Glibc.connect(channel, address.ai_addr, address.ai_addrlen) == 0 { return channel }
            close(channel)
        }
        return nil
    }
}
