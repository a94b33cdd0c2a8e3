import CVerbs
import Glibc
import NIOPosix

/// Waits, on a thread of its own, for completions and faults of one device.
///
/// A completion queue tells of its next completion only once per request, so that the thread sleeps
/// while the event loop empties the queue.
final class CompletionChannel: @unchecked Sendable {
    // The handles never change after `init`; `thread` is used from outside it alone.
    let device: RDMADevice
    let handle: VerbsLibrary.Channel
    /// A pipe that is closed at its writing end to end the thread.
    private let alarm: (read: Int32, write: Int32)
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(_ device: RDMADevice) throws(RDMAFailure) {
        guard let handle = device.library.createChannel(device.context) else {
            throw RDMAFailure("\(device.name) gives no completion channel", code: errno)
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let code = errno
            _ = device.library.destroyChannel(handle)
            throw RDMAFailure("no pipe", code: code)
        }
        alarm = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.device = device
        self.handle = handle
        CompletionChannel.setNonBlocking(handle.pointee.fd)
        CompletionChannel.setNonBlocking(device.context.pointee.async_fd)
    }

    deinit {
        _ = device.library.destroyChannel(handle)
        close(alarm.read)
    }

    /// Calls back on the channel's thread: with the number that a queue was made with, and when the
    /// device or its port fails.
    func start(
        completion: @escaping @Sendable (Int) -> Void,
        failure: @escaping @Sendable (String) -> Void
    ) {
        thread.start()
        thread.submit { [self] state in
            guard case .active = state else { return }
            var descriptors = [
                pollfd(fd: handle.pointee.fd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: device.context.pointee.async_fd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: alarm.read, events: Int16(POLLIN), revents: 0),
            ]
            while waitForEvents(&descriptors) {
                takeCompletions(completion)
                takeFaults(failure)
                takeLosses(&descriptors, failure)
            }
        }
    }

    /// Ends the thread; called once. No queue of the channel may live.
    func stop() async {
        close(alarm.write)
        try? await thread.shutdownGracefully()
    }

    /// False once the channel has been stopped.
    private func waitForEvents(_ descriptors: inout [pollfd]) -> Bool {
        let count = poll(&descriptors, nfds_t(descriptors.count), -1)
        guard count >= 0 || errno == EINTR else { return false }
        return count < 0 || descriptors[2].revents == 0
    }

    /// A device that is gone has no more events and is ready for ever: its descriptors are waited for no more.
    private func takeLosses(_ descriptors: inout [pollfd], _ failure: (String) -> Void) {
        var isGone = false
        for index in 0..<2 {
            let signs = Int16(POLLERR | POLLHUP | POLLNVAL)
            guard descriptors[index].revents & signs != 0 else { continue }
            // Passed over by poll(2).
            descriptors[index].fd = -1
            isGone = true
        }
        if isGone { failure("the device \(device.name) is gone") }
    }

    private func takeCompletions(_ completion: (Int) -> Void) {
        var queue: VerbsLibrary.Completions?
        var number: UnsafeMutableRawPointer?
        while device.library.getCompletionEvent(handle, &queue, &number) == 0 {
            device.library.acknowledgeCompletionEvents(queue, 1)
            completion(Int(bitPattern: number))
        }
    }

    private func takeFaults(_ failure: (String) -> Void) {
        var event = ibv_async_event()
        while device.library.getAsyncEvent(device.context, &event) == 0 {
            let type = event.event_type
            device.library.acknowledgeAsyncEvent(&event)
            if type == IBV_EVENT_DEVICE_FATAL {
                failure("the device \(device.name) failed")
            } else if type == IBV_EVENT_PORT_ERR {
                failure("the port of \(device.name) went down")
            }
        }
    }

    private static func setNonBlocking(_ descriptor: Int32) {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    }
}

/// Why RDMA does not work here; caused from outside.
package struct RDMAFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    init(_ what: String, code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }
}
