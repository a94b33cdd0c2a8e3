import Machines
import NetworkModel
import Units

/// Two endpoints without a network: a script decides which packets arrive.
///
/// Commands, one a line:
/// - `write N`: the opener writes N full segments.
/// - `lose A B…`: the data segments with these numbers, as sent last, never arrive.
/// - `mark A B…`: a queue marks these instead of dropping them.
/// - `forth`, `back`: 40 ms pass; everything on the way arrives.
/// - `wait N`: N milliseconds pass, with whatever timers come due.
/// - `state`: prints the opener's recovery state and window.
///
/// Everything an endpoint sends is printed: `> 3 4` for the opener's data by segment number, `< 5
/// [6-8]` for the acceptor's acknowledgement of everything before segment 5 and of 6 and 7. `3!` says
/// that the window was reduced, `5 echo` that a mark arrived.
struct ScriptedPair {
    private static let segment = 1448
    private var opener: TCPEndpoint
    private var acceptor: TCPEndpoint
    private var effects = EndpointEffects()
    private var now = Instant.zero
    private var toAcceptor: [Packet] = []
    private var toOpener: [Packet] = []
    private var wakes: [(at: Instant, side: ConnectionSide, timer: ConnectionTimer)] = []
    private var lines: [String] = []

    init(_ control: CongestionControl = .cubic, usesCongestionNotification: Bool = false) {
        var parameters = TCPParameters.linux
        parameters.usesCongestionNotification = usesCongestionNotification
        let connection = ConnectionID(slot: 0, generation: 0)
        let options = StreamOptions(congestionControl: control, receiveCredit: 1 << 24)
        opener = TCPEndpoint(
            connection: connection,
            side: .opener,
            options: options,
            parameters: parameters
        )
        acceptor = TCPEndpoint(
            connection: connection,
            side: .acceptor,
            options: options,
            parameters: parameters
        )
        opener.open(at: now, into: &effects)
        collect(.opener)
        for _ in 0..<2 {
            pass(forth: true)
            pass(forth: false)
        }
        lines.removeAll()
    }

    /// Runs a script; the transcript holds each command and what followed from it.
    mutating func run(_ script: String) -> String {
        for line in script.split(separator: "\n") {
            lines.append(String(line))
            let words = line.split(separator: " ")
            let numbers = words.dropFirst().compactMap { Int($0) }
            switch words[0] {
            case "write":
                opener.write(numbers[0] * Self.segment, at: now, into: &effects)
                collect(.opener)
            case "lose":
                for number in numbers {
                    let last = toAcceptor.lastIndex {
                        $0.length > 0 && Int($0.offset) / Self.segment == number
                    }
                    toAcceptor.remove(at: last!)
                }
            case "mark":
                for number in numbers {
                    let last = toAcceptor.lastIndex {
                        $0.length > 0 && Int($0.offset) / Self.segment == number
                    }
                    precondition(toAcceptor[last!].congestion.contains(.capable))
                    toAcceptor[last!].congestion.insert(.experienced)
                }
            case "forth": pass(forth: true)
            case "back": pass(forth: false)
            case "wait": advance(to: now + .milliseconds(Int64(numbers[0])))
            case "state":
                lines.append("  \(opener.recovery) window \(opener.congestion.window)")
            default: fatalError("unknown command \(line)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private mutating func pass(forth: Bool) {
        let packets = forth ? toAcceptor : toOpener
        if forth { toAcceptor = [] } else { toOpener = [] }
        advance(to: now + .milliseconds(40))
        for packet in packets {
            if forth {
                acceptor.receive(packet, at: now, into: &effects)
                collect(.acceptor)
            } else {
                opener.receive(packet, at: now, into: &effects)
                collect(.opener)
            }
        }
    }

    private mutating func advance(to end: Instant) {
        while let index = wakes.indices.min(by: { wakes[$0].at < wakes[$1].at }),
            wakes[index].at <= end
        {
            let wake = wakes.remove(at: index)
            now = wake.at
            if wake.side == .opener {
                opener.wake(wake.timer, at: now, into: &effects)
            } else {
                acceptor.wake(wake.timer, at: now, into: &effects)
            }
            collect(wake.side)
        }
        now = end
    }

    private mutating func collect(_ side: ConnectionSide) {
        for (at, timer) in [
            (effects.retransmissionWake, ConnectionTimer.retransmission),
            (effects.acknowledgementWake, .delayedAcknowledgement),
            (effects.pacingWake, .pacing),
        ] where at != .distantFuture {
            wakes.append((at, side, timer))
        }
        let packets = effects.packets
        effects.clear()
        if side == .opener { toAcceptor += packets } else { toOpener += packets }
        if side == .opener {
            let data = packets.filter { $0.length > 0 }.map { packet in
                let number = Int(packet.offset) / Self.segment
                return packet.congestion.contains(.reduced) ? "\(number)!" : "\(number)"
            }
            if !data.isEmpty { lines.append("  > " + data.joined(separator: " ")) }
        } else {
            for packet in packets { lines.append("  < " + describe(packet)) }
        }
    }

    private func describe(_ packet: Packet) -> String {
        let base = Int(packet.acknowledgement) / Self.segment
        var text = packet.congestion.contains(.echo) ? "\(base) echo" : "\(base)"
        for index in 0..<packet.sack.count {
            let block = packet.sack[index]
            let start = base + Int(block.start) / Self.segment
            let end = base + Int(block.end) / Self.segment
            text += " [\(start)-\(end)]"
        }
        return text
    }
}
