import Glibc

/// The limit of open files and sockets that the process was started with.
enum OpenFilesLimit {
    /// Event loops end the process when they cannot have a descriptor, so a node does not begin with
    /// fewer; it has some thirty open while nobody talks to it.
    private static let least: rlim_t = 64

    /// Raises the soft limit when it is lower than a node needs and the hard limit allows.
    ///
    /// - Throws: `CommandFailure` when the hard limit is lower, too.
    static func ensure() throws(CommandFailure) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < least else { return }
        let found = limit.rlim_cur
        limit.rlim_cur = min(least, limit.rlim_max)
        guard limit.rlim_cur >= least, setrlimit(resource, &limit) == 0 else {
            throw CommandFailure(
                .unavailable,
                "\(found) open files allowed, a node needs \(least): raise the limit (ulimit -n)"
            )
        }
    }
}
