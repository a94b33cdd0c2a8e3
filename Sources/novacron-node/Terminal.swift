import Glibc

/// Text for whoever called the program.
enum Terminal {
    /// One line on standard output.
    static func say(_ text: String) {
        send(text + "\n", to: STDOUT_FILENO)
    }

    /// One line on standard error.
    static func complain(_ text: String) {
        send("novacron-node: \(text)\n", to: STDERR_FILENO)
    }

    private static func send(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
                if count >= 0 { sent += count } else if errno != EINTR { return }
            }
        }
    }
}
