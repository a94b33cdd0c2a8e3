import Machines

/// Bytes that a stream is to carry and that its credit has not admitted yet, as shared slices.
struct Backlog: Sendable {
    /// Bytes in all pieces that are left.
    private(set) var count = 0
    private var pieces: [Bytes] = []
    /// The first piece that is left; those before it have been written.
    private var head = 0

    init() {}

    var isEmpty: Bool { count == 0 }

    mutating func append(_ piece: Bytes) {
        guard !piece.isEmpty else { return }
        pieces.append(piece)
        count &+= piece.count
    }

    mutating func append(_ frame: Frame) {
        append(frame.header.bytes)
        for piece in frame.payload.pieces { append(piece) }
    }

    mutating func removeAll() {
        pieces.removeAll(keepingCapacity: true)
        head = 0
        count = 0
    }

    /// Written slots are given up before they are as many as the others.
    func checkInvariants() {
        precondition(
            head <= 64 || head * 2 <= pieces.count,
            "\(head) of \(pieces.count) slots are written"
        )
    }

    /// Writes as much as the credit admits and takes it off the credit; returns the bytes written.
    mutating func flush<Program: Machine>(
        to stream: StreamID,
        credit: inout Int,
        into actions: inout Actions<Program>
    ) -> Int {
        let admitted = min(credit, count)
        var left = admitted
        while left > 0 {
            let size = pieces[head].count
            if size <= left {
                actions.write(stream, pieces[head])
                // The slot is emptied at once, so that a written slice's storage can go.
                pieces[head] = []
                head += 1
                left -= size
            } else {
                actions.write(stream, pieces[head].prefix(left))
                pieces[head] = pieces[head].dropFirst(left)
                left = 0
            }
        }
        credit -= admitted
        count -= admitted
        if count == 0 {
            removeAll()
        } else if head > 64, head * 2 > pieces.count {
            pieces.removeSubrange(..<head)
            head = 0
        }
        return admitted
    }
}
