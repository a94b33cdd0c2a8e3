import NIOPosix

/// Threads on which calls of the system may block.
final class BlockingThreads: Sendable {
    private let pool: NIOThreadPool

    init(count: Int) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
    }

    /// Runs `body` to its end, also in a task that is cancelled: a component that cleans up after a
    /// cancelled boot still needs its files. After `shutdown` it runs on the caller's thread.
    func run<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            pool.submit { _ in
                continuation.resume(
                    returning: Result { () throws(Failure) -> Value in try body() }
                )
            }
        }
        return try result.get()
    }

    func shutdown() async {
        try? await pool.shutdownGracefully()
    }
}
