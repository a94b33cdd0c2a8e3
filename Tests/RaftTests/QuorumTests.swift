import Determinism
import Foundation
import Raft
import Testing
import Units

// Goal: the arithmetic of majorities and joint majorities gives what etcd's own scripts expect.
// Method: read every script of the conformance suite, where it is present beside the project, compute each
// case and compare its last line; a few cases of our own need no files.
@Suite struct QuorumTests {
    static let folder: URL? = {
        var candidates: [URL] = []
        if let shared = ProcessInfo.processInfo.environment["NOVALAB_SHARED"] {
            candidates.append(URL(filePath: shared))
        }
        let root = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        candidates.append(root.appending(path: "../shared"))
        return candidates.map { $0.appending(path: "conformance/etcd-raft/quorum") }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    /// One case of a script: what is asked, with which arguments, and the answer.
    struct Case {
        let verb: String
        let arguments: [String: String]
        let expected: String

        func list(_ name: String) -> [String] {
            guard let text = arguments[name], text != "zero" else { return [] }
            return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }

        /// The voters in the order in which the votes or indices are given.
        var incoming: [NodeID] { list("cfg").map { NodeID(UInt32($0)!) } }
        var outgoing: [NodeID] { list("cfgj").map { NodeID(UInt32($0)!) } }
        var all: [NodeID] {
            var seen: [NodeID] = []
            for voter in incoming + outgoing where !seen.contains(voter) { seen.append(voter) }
            return seen
        }
    }

    static func cases(of text: String) throws -> [Case] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let divider = lines.indices.filter { lines[$0] == "----" }
        return try divider.map { place in
            var start = place
            while start > 0, !lines[start - 1].isEmpty, !lines[start - 1].hasPrefix("#") {
                start -= 1
            }
            let command = lines[start..<place].joined(separator: " ")
            var end = place + 1
            while end < lines.count, !lines[end].isEmpty { end += 1 }
            let verb = command.split(separator: " ")[0]
            var arguments: [String: String] = [:]
            for match in command.matches(of: /(\w+)=(?:\(([^)]*)\)|(\w+))/) {
                arguments[String(match.1)] = String(match.2 ?? match.3 ?? "")
            }
            let last = try #require(lines[(place + 1)..<end].last)
            return Case(verb: String(verb), arguments: arguments, expected: String(last))
        }
    }

    @Test(.enabled(if: folder != nil, "no shared/conformance/etcd-raft beside the project"))
    func scriptsOfEtcd() throws {
        let folder = try #require(QuorumTests.folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        var count = 0
        for name in names where name.hasSuffix(".txt") {
            let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            for item in try QuorumTests.cases(of: text) {
                count += 1
                let found = item.verb == "vote" ? vote(item) : committed(item)
                #expect(item.expected == found, "\(name): \(item)")
            }
        }
        #expect(count > 80, "only \(count) cases were found")
    }

    private func vote(_ item: Case) -> String {
        let votes = item.list("votes")
        let voters = item.all
        let result = Quorum.result(item.incoming, item.outgoing) { voter in
            guard let place = voters.firstIndex(of: voter), place < votes.count else { return nil }
            return votes[place] == "y" ? true : votes[place] == "n" ? false : nil
        }
        switch result {
        case .won: return "VoteWon"
        case .lost: return "VoteLost"
        case .pending: return "VotePending"
        }
    }

    private func committed(_ item: Case) -> String {
        let indices = item.list("idx")
        let voters = item.all
        let index = Quorum.committedIndex(item.incoming, item.outgoing) { voter in
            guard let place = voters.firstIndex(of: voter), place < indices.count else { return 0 }
            return LogIndex(indices[place]) ?? 0
        }
        if index == Quorum.unbounded {
            return item.arguments["cfgj"] == nil ? "<empty majority quorum>∞" : "∞"
        }
        return "\(index)"
    }

    // Goal: the committed index is what more than half of the voters have reached. Method: seeded indices, few or any,
    // of up to nine voters, sorted; for two sets of voters the lower of both.
    @Test func theMajoritysPlaceIsCommitted() {
        var random = SeededRandom(stateFrom: 12)
        for round in 0..<1_000 {
            let bound: UInt64 = round % 2 == 0 ? 5 : .max
            for count in 1...9 {
                let reached = (0..<2 * count).map { _ in random.below(bound) }
                let place = { (voter: NodeID) in Int(voter.rawValue - 20) / 3 }
                let voters = (0..<2 * count).map { NodeID(UInt32(20 + 3 * $0)) }
                    .shuffled(using: &random)
                func expected(_ voters: [NodeID]) -> LogIndex {
                    voters.map { reached[place($0)] }.sorted(by: >)[voters.count / 2]
                }
                let (incoming, outgoing) = (Array(voters[..<count]), Array(voters[count...]))
                let index = Quorum.committedIndex(incoming) { reached[place($0)] }
                #expect(index == expected(incoming), "\(incoming), \(reached)")
                let joint = Quorum.committedIndex(incoming, outgoing) { reached[place($0)] }
                #expect(
                    joint == min(expected(incoming), expected(outgoing)),
                    "\(incoming), \(outgoing), \(reached)"
                )
            }
        }
    }

    // Goal: repeated values, one voter and none. Method: by hand.
    @Test func smallSets() {
        let three = [NodeID(1), NodeID(2), NodeID(3)]
        #expect(Quorum.committedIndex(three) { _ in 7 } == 7)
        #expect(Quorum.committedIndex(three) { $0 == NodeID(2) ? 9 : 0 } == 0)
        #expect(Quorum.committedIndex([]) { _ in 1 } == Quorum.unbounded)
        #expect(Quorum.committedIndex(three, [NodeID(9)]) { $0 == NodeID(9) ? 3 : 8 } == 3)
        #expect(Quorum.majority(of: 4) == 3)
        #expect(Quorum.result(three, [NodeID(9)]) { $0 == NodeID(9) ? false : true } == .lost)
    }
}
