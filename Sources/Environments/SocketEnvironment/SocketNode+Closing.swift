import Machines
import NIOCore
import Units

/// A stream that both machines have finished: the machine hears nothing more, and the peer may still have to take
/// what was sent.
struct ClosingStream {
    let stream: SocketStream
    /// When nothing of it has left for `SocketNode.lingerLimit`.
    var alarm: Scheduled<Void>?
}

extension SocketNode {
    /// The machine is done with the stream; its connection goes on until everything is sent.
    func close(_ id: StreamID) {
        guard let stream = streams.removeValue(forKey: id) as? SocketStream, stream.isConnected
        else { return }
        let name = ObjectIdentifier(stream)
        closing[name] = ClosingStream(stream: stream)
        watch(name)
        stream.whenDisconnected { [weak self] in
            self?.closing.removeValue(forKey: name)?.alarm?.cancel()
        }
    }

    /// Where the system takes nothing more of what is left for `lingerLimit`, because its buffers are full and the
    /// peer acknowledges none of them, the rest is lost. What the node itself holds for a partition may wait.
    private func watch(_ name: ObjectIdentifier) {
        guard let stream = closing[name]?.stream else { return }
        closing[name]?.alarm?.cancel()
        let left = stream.unsentBytes
        let patience = TimeAmount.nanoseconds(lingerLimit.nanoseconds)
        closing[name]?.alarm = loop.assumeIsolated().scheduleTask(in: patience) { [weak self] in
            guard let self, let stream = closing[name]?.stream else { return }
            if stream.isHeld || stream.unsentBytes < left {
                watch(name)
            } else {
                closing[name] = nil
                stream.reset()
            }
        }
    }

    /// Streams that a partition lets go are waited for anew.
    func holdClosing() {
        for (name, closed) in closing {
            let wasHeld = closed.stream.isHeld
            hold(closed.stream)
            if wasHeld, !closed.stream.isHeld { watch(name) }
        }
    }

    /// What is not sent yet never is: their ends are resets, lest a peer take what it got for everything.
    func endClosing() {
        let streams = closing.values
        closing = [:]
        for closed in streams {
            closed.alarm?.cancel()
            closed.stream.reset()
            hold(closed.stream)
        }
    }
}
