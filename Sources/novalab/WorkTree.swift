import Determinism
import Foundation
import Reporting

extension Provenance {
    /// The commit's hash, or `unknown`. Behind it `-dirty-` and eight digits over the changed
    /// sources when the work tree differs, so that runs of different changes are never taken for
    /// the same.
    func commitName(root: String) -> String {
        guard case .known(let hash) = commit else { return "unknown" }
        guard case .known(true) = isDirty else { return hash }
        return "\(hash)-dirty-\(WorkTree(root: root).digest)"
    }
}

/// What is built from besides the commit.
struct WorkTree {
    let root: String

    /// Everything that the build reads.
    private static let sources = ["Sources", "Package.swift", "Package.resolved"]

    /// Eight hexadecimal digits over the differences of tracked sources and the contents of new ones.
    var digest: String {
        var chain = HashChain()
        chain.combine(bytes: git(["diff", "--binary", "HEAD", "--"] + WorkTree.sources)[...])
        let listing = git(["ls-files", "-z", "--others", "--exclude-standard", "--", "Sources"])
        for path in listing.split(separator: 0) {
            let name = String(decoding: path, as: UTF8.self)
            chain.combine(name)
            let bytes = FileManager.default.contents(atPath: "\(root)/\(name)") ?? Data()
            chain.combine(bytes: [UInt8](bytes)[...])
        }
        return String(chain.fingerprint.description.prefix(8))
    }

    /// What git prints; nothing when it cannot run, which `Provenance` has noticed before.
    private func git(_ arguments: [String]) -> [UInt8] {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", root] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return [] }
        let output = (try? pipe.fileHandleForReading.readToEnd()) ?? nil
        process.waitUntilExit()
        return [UInt8](output ?? Data())
    }
}
