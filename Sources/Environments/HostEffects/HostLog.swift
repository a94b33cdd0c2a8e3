public import Effects
import Glibc
import Synchronization

/// Lines of the log to a file descriptor, standard error unless told otherwise.
///
/// A line of up to `PIPE_BUF` bytes is one `write`, so such lines of several processes on one pipe do
/// not mix; longer ones are written in parts of that size. A reader that does not read holds each part
/// up for at most `patience`; then the line is dropped and counted, and so it is when the reader has
/// gone.
public final class HostLog: LogSink {
    private let descriptor: Int32
    private let state = Mutex(State())
    /// In milliseconds.
    private static let patience: Int32 = 100
    /// A pipe that is writable takes this much without waiting, and no more for sure.
    private static let atomicSize = Int(PIPE_BUF)

    private struct State {
        var dropped: UInt64 = 0
        /// Whether the last thing written was the beginning of a line.
        var isTorn = false
    }

    /// The descriptor stays the caller's.
    public init(descriptor: Int32 = 2) {
        self.descriptor = descriptor
    }

    /// Lines that could not be written, or not to their end.
    public var droppedLines: UInt64 { state.withLock { $0.dropped } }

    public func write(_ line: String) {
        // Under the lock, since a line that the system takes in two parts must stay together.
        state.withLock { state in
            // What is left of a dropped line does not spoil the next one.
            var text = (state.isTorn ? "\n" : "") + line + "\n"
            let (sent, count) = text.withUTF8 { (send(UnsafeRawBufferPointer($0)), $0.count) }
            if sent > 0 { state.isTorn = sent < count }
            if sent < count { state.dropped += 1 }
        }
    }

    /// How many of the bytes could be written.
    private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        var sent = 0
        while sent < bytes.count {
            guard isWritable else { return sent }
            let part = min(bytes.count - sent, HostLog.atomicSize)
            let count = Glibc.write(descriptor, bytes.baseAddress! + sent, part)
            if count >= 0 {
                sent += count
            } else if errno != EINTR && errno != EAGAIN {
                return sent
            }
        }
        return sent
    }

    private var isWritable: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let answer = poll(&request, 1, HostLog.patience)
            if answer >= 0 { return answer == 1 && request.revents & Int16(POLLOUT) != 0 }
            guard errno == EINTR else { return false }
        }
    }
}
