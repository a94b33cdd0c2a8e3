public import Machines
public import Raft
public import ReplicatedStore

extension RaftMessage: TraceText {
    public var traceText: String {
        switch self {
        case .voteRequest(let request):
            let kind = request.isPreVote ? "pre-vote?" : "vote?"
            return "\(kind) term \(request.term) log \(request.lastIndex)/\(request.lastTerm)"
        case .voteAnswer(let answer):
            let kind = answer.isPreVote ? "pre-vote" : "vote"
            return "\(answer.isGranted ? kind : "no \(kind)") term \(answer.term)"
        case .append(let request):
            return "append \(request.previousIndex)+\(request.entries.count) term \(request.term) "
                + "commit \(request.commit)"
        case .appendMatched(let term, let index): return "matched \(index) term \(term)"
        case .appendConflict(let conflict):
            return "conflict at \(conflict.previousIndex) term \(conflict.term) "
                + "hint \(conflict.hintIndex)/\(conflict.hintTerm)"
        case .heartbeat(let heartbeat):
            return "heartbeat term \(heartbeat.term) commit \(heartbeat.commit)"
        case .heartbeatAnswer(let answer):
            return "alive term \(answer.term) round \(answer.round)"
        case .chunk(let chunk):
            return "snapshot \(chunk.point.index) byte \(chunk.offset) of \(chunk.total)"
        case .chunkAnswer(_, let index, let received):
            return "snapshot \(index) has \(received) B"
        case .timeoutNow(let term): return "stand now term \(term)"
        case .readRequest(let term, let read): return "read \(read)? term \(term)"
        case .readAnswer(_, let read, let index):
            return "read \(read) \(index.map { "at \($0)" } ?? "not now")"
        }
    }
}

extension StoreMessage: TraceText {
    public var traceText: String {
        switch self {
        case .raft(let message): message.traceText
        case .request(let attempt, let question): "#\(attempt) \(TraceWords.of(question))"
        case .answer(let attempt, let answer): "#\(attempt) \(TraceWords.of(answer))"
        }
    }
}

extension RequestNode: StreamTraceText {
    /// More frames of one piece are counted.
    private static var frameLimit: Int { 2 }

    /// The frames of replicas: length and checksum, four bytes each, then the message.
    public static func traceText(ofStream bytes: Bytes) -> String? {
        var rest = bytes
        var words: [String] = []
        while rest.count >= 8 {
            var header = WireReader(rest.prefix(8))
            guard let size = try? header.read(UInt32.self), rest.count >= 8 + Int(size) else {
                break
            }
            var reader = WireReader(Array(rest.dropFirst(8).prefix(Int(size))))
            guard let message = try? StoreMessage(from: &reader) else { break }
            words.append(message.traceText)
            rest = rest.dropFirst(8 + Int(size))
        }
        guard !words.isEmpty else { return nil }
        let more = words.count > frameLimit ? " and \(words.count - frameLimit) more" : ""
        return words.prefix(frameLimit).joined(separator: " · ") + more
    }
}
