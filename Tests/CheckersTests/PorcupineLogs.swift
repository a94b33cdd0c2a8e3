import Checkers
import Foundation
import Units

/// The histories with known verdicts that lie beside the project, and readers of their two forms.
enum PorcupineLogs {
    static let folder: URL? = {
        let package = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let shared =
            ProcessInfo.processInfo.environment["NOVALAB_SHARED"].map { URL(filePath: $0) }
            ?? package.deletingLastPathComponent().appending(path: "shared")
        let folder = shared.appending(path: "conformance/porcupine")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    struct Expectation {
        var file: String
        var model: String
        var isLinearizable: Bool
    }

    struct Malformed: Error {
        var line: String
    }

    static func expectations(_ folder: URL) throws -> [Expectation] {
        let text = try String(contentsOf: folder.appending(path: "expected.csv"), encoding: .utf8)
        return text.split(separator: "\n").dropFirst().map { line in
            let fields = line.split(separator: ",")
            return Expectation(
                file: String(fields[0]),
                model: String(fields[1]),
                isLinearizable: fields[2] == "true"
            )
        }
    }

    static func text(_ file: String, in folder: URL) throws -> String {
        try String(contentsOf: folder.appending(path: file), encoding: .utf8)
    }

    // MARK: - etcd

    /// `INFO jepsen.util - 3 :invoke :cas [0 3]`, fields separated by tabs or spaces.
    static func register(
        _ text: String
    ) throws -> [ObservedOperation<RegisterModel.Operation>] {
        var history: [ObservedOperation<RegisterModel.Operation>] = []
        var open: [Int: Int] = [:]
        for (position, line) in text.split(separator: "\n").enumerated() {
            guard line.contains("jepsen.util") else { continue }
            let fields = line.split { " \t[]".contains($0) }.map(String.init)
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3,
                let process = Int(fields[dash + 1])
            else { throw Malformed(line: String(line)) }
            let kind = fields[dash + 3]
            let values = fields[(dash + 4)...].map { Int64($0) }
            let isTimeout = fields.contains(":timed-out")
            switch fields[dash + 2] {
            case ":invoke":
                open[process] = history.count
                history.append(
                    ObservedOperation(
                        process: process,
                        operation: try called(kind, values, line),
                        called: position,
                        returned: nil
                    )
                )
            case ":ok", ":fail":
                guard let index = open.removeValue(forKey: process) else {
                    throw Malformed(line: String(line))
                }
                // A read that failed says nothing; it stays without an answer.
                if isTimeout { continue }
                let isOK = fields[dash + 2] == ":ok"
                history[index].operation = try answered(kind, values, isOK, line)
                history[index].returned = position
            case ":info":
                // No return: the operation may still happen.
                open[process] = nil
            default: throw Malformed(line: String(line))
            }
        }
        return history
    }

    private static func called(
        _ kind: String,
        _ values: [Int64?],
        _ line: Substring
    ) throws -> RegisterModel.Operation {
        switch (kind, values.count) {
        case (":read", _): return .read(nil)
        case (":write", 1):
            if let value = values[0] { return .write(value) }
        case (":cas", 2):
            if let from = values[0], let to = values[1] {
                return .swap(from: from, to: to, .unknown)
            }
        default: break
        }
        throw Malformed(line: String(line))
    }

    private static func answered(
        _ kind: String,
        _ values: [Int64?],
        _ isOK: Bool,
        _ line: Substring
    ) throws -> RegisterModel.Operation {
        switch try called(kind, values, line) {
        case .read where isOK: return .read(values.first ?? nil)
        case .write(let value) where isOK: return .write(value)
        case .swap(let from, let to, _):
            return .swap(from: from, to: to, isOK ? .swapped : .refused)
        case .read, .write: throw Malformed(line: String(line))
        }
    }

    // MARK: - Key-value

    /// `{:process 9, :type :invoke, :f :append, :key "0", :value "x 9 0 y"}`
    static func keyValue(_ text: String) throws -> ClientHistory {
        var history = ClientHistory()
        for (position, line) in text.split(separator: "\n").enumerated() {
            let pattern =
                #/
                \{:process\ (\d+),\ :type\ :(\w+),\ :f\ :(\w+),\ :key\ "([^"]*)",\ :value\ (nil|"([^"]*)")\}
                /#
            guard let match = line.wholeMatch(of: pattern), let process = Int32(match.1) else {
                throw Malformed(line: String(line))
            }
            let key = String(match.4)
            let value = match.6.map(String.init)
            let time = Instant(nanoseconds: Int64(position) * 1_000_000)
            guard match.2 == "ok" else {
                let call: ClientHistory.Call =
                    match.3 == "get"
                    ? .get(key: key)
                    : match.3 == "put"
                        ? .put(key: key, value: value ?? "")
                        : .append(key: key, value: value ?? "")
                _ = history.invoke(process: process, call, at: time)
                continue
            }
            guard let operation = history.openOperation(of: process) else {
                throw Malformed(line: String(line))
            }
            history.answer(operation, match.3 == "get" ? .value(value) : .done, at: time)
        }
        return history
    }
}
