public import Effects
import Foundation

extension BootSession {
    /// Boots the node with `--crash-at`, waits for the crash, then boots it again in order.
    ///
    /// - Returns: what the crash and the boot after it came to; `nil` when it was cancelled.
    public func survive(_ point: CrashPoint) throws(RealNodeError) -> CrashSurvival? {
        let process = try node.start(["--crash-at", point.description])
        var hearing = BootHearing(process)
        // Steps of an orderly end are reached only on the way out.
        guard boot(&hearing, process), end(&hearing, process) else { return nil }
        let ending = hearing.measurement.ending
        var problems: [String] = []
        if ending?.cause != .signal(SIGKILL) {
            let what = ending?.cause.description ?? "went on"
            problems.append("the node was to be killed at \(point), but \(what)")
            process.killGroup()
        }
        if process.endGroup() { problems.append("the crash left processes of the node's group") }
        let authority = node.data.authority
        guard let recovered = try measure() else { return nil }
        if recovered.ready == nil { problems.append("it was not READY after the crash") }
        return CrashSurvival(
            point: point,
            crash: ending,
            authorityAtCrash: authority,
            authority: node.data.authority,
            problems: problems,
            recovered: recovered
        )
    }
}

/// What became of a node that was killed at one point.
public struct CrashSurvival: Hashable, Sendable {
    public var point: CrashPoint
    /// How the killed process ended.
    public var crash: ProcessEnding?
    /// The digest of the node's certificate authority that the crash left; `nil` while there was none.
    public var authorityAtCrash: String?
    /// After the recovery.
    public var authority: String?
    /// What was wrong with the crash or the recovery, beside the recovered boot's own problems.
    public var problems: [String]
    /// The boot after it.
    public var recovered: BootMeasurement

    /// Whether the node is who it was before the crash.
    public var keepsIdentity: Bool {
        authority != nil && (authorityAtCrash == nil || authorityAtCrash == authority)
    }

    public var isSurvived: Bool {
        problems.isEmpty && recovered.problems.isEmpty && recovered.ready != nil
    }
}
