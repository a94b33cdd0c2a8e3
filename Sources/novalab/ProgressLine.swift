import Dispatch
import Foundation
import Synchronization

/// Tells on standard error how far a long job is: one line at 2 Hz on a terminal, a line every 10 s
/// elsewhere.
final class ProgressLine: Sendable {
    private struct State {
        var text = ""
        var printed = Date.distantPast
        var isShown = false
        var isFinished = false
    }

    private let state = Mutex(State())
    private let isTerminal = isatty(STDERR_FILENO) == 1

    func show(_ text: String, isFinal: Bool = false) {
        state.withLock { state in
            guard !state.isFinished else { return }
            state.text = text
            let pause = isTerminal ? 0.5 : 10.0
            let now = Date()
            guard isFinal || now.timeIntervalSince(state.printed) >= pause else { return }
            state.printed = now
            if isTerminal {
                FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
                state.isShown = true
            } else {
                printError(text)
            }
        }
    }

    /// Removes the line for good.
    func finish() {
        clear()
        state.withLock { $0.isFinished = true }
        clear()
    }

    /// Removes the line, so that what follows starts on a clean one.
    func clear() {
        state.withLock { state in
            guard isTerminal, state.isShown else { return }
            FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
            state.isShown = false
        }
    }
}

/// Calls something twice a second, on a thread that no replication occupies.
final class Ticker {
    private let timer: any DispatchSourceTimer

    init(_ body: @escaping @Sendable () -> Void) {
        timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + 0.5, repeating: 0.5)
        timer.setEventHandler(handler: body)
        timer.resume()
    }

    func stop() { timer.cancel() }
}

/// Ctrl-C and requests to end, as a flag that long work asks for.
enum Interrupt {
    private static let flag = Atomic<Bool>(false)

    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// The first signal sets the flag; the second ends the process at once.
    static func watch() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in
                if Interrupt.flag.exchange(true, ordering: .relaxed) { _exit(130) }
            }
            sigaction(number, &action, nil)
        }
        // Who started this program may have held signals up, and left them so.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}
