public import Effects
import Glibc
import Synchronization

/// Lines of the log to a file descriptor, standard error unless told otherwise.
///
/// Each line is one `write`, so lines of several processes on one pipe do not mix as long as they fit
/// its atomic size. A reader that does not read holds a line up for at most `patience`; then the line
/// is dropped and counted, and so it is when the reader has gone.
public final class HostLog: LogSink {
    private let descriptor: Int32
    private let dropped = Mutex<UInt64>(0)
    /// In milliseconds.
    private static let patience: Int32 = 100

    /// The descriptor stays the caller's.
    public init(descriptor: Int32 = 2) {
        self.descriptor = descriptor
    }

    /// Lines that could not be written, or not to their end.
    public var droppedLines: UInt64 { dropped.withLock { $0 } }

    public func write(_ line: String) {
        var line = line
        line.append("\n")
        // Under the lock, since a line that the system takes in two parts must stay together.
        dropped.withLock { dropped in
            let isWritten = line.withUTF8 { send(UnsafeRawBufferPointer($0)) }
            if !isWritten { dropped += 1 }
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var sent = 0
        while sent < bytes.count {
            guard isWritable else { return false }
            let count = Glibc.write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
            if count >= 0 {
                sent += count
            } else if errno != EINTR && errno != EAGAIN {
                return false
            }
        }
        return true
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
