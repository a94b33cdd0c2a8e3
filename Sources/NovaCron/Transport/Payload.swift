public import Machines

/// The content of one chunk as the pieces it was given or arrived in.
///
/// Pieces are slices of shared storage: a chunk made of raw pages, or one that arrived as many TCP
/// segments, is passed on without being joined.
public struct Payload: Sendable {
    /// In order; none is empty.
    public private(set) var pieces: [Bytes]
    /// Bytes in all pieces.
    public private(set) var count: Int

    public init() {
        pieces = []
        count = 0
    }

    public init(_ bytes: Bytes) {
        self.init()
        append(bytes)
    }

    public init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    public var isEmpty: Bool { count == 0 }

    public mutating func append(_ piece: Bytes) {
        let added = piece.count
        guard added > 0 else { return }
        pieces.append(piece)
        count &+= added
    }

    /// Appends a part of what arrived together, `arrived` bytes in all, so that no more memory is kept for it than
    /// eight times its bytes: pieces below an eighth of that are copied, and the shortest ones joined.
    mutating func append(_ piece: Bytes, of arrived: Int) {
        if piece.count < Payload.shortPiece, let last = pieces.indices.last,
            pieces[last].count < 8 * Payload.shortPiece
        {
            pieces[last].append(contentsOf: piece)
            count &+= piece.count
        } else {
            append(piece.count < arrived / 8 ? Bytes(Array(piece)) : piece)
        }
    }

    /// What an array costs besides its bytes is an eighth of this.
    private static let shortPiece = 512

    public mutating func reservePieces(_ capacity: Int) {
        pieces.reserveCapacity(capacity)
    }

    /// All bytes as one slice: shared when there is one piece, otherwise one copy.
    public func joined() -> Bytes {
        guard pieces.count != 1 else { return pieces[0] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for piece in pieces {
                piece.withUnsafeBufferPointer { source in
                    _ = UnsafeMutableBufferPointer(rebasing: buffer[initialized...])
                        .initialize(from: source)
                }
                initialized += piece.count
            }
        }[...]
    }
}

extension Payload: Equatable {
    /// Equal bytes, however they are cut into pieces.
    public static func == (left: Payload, right: Payload) -> Bool {
        left.holdsSameBytes(as: right)
    }

    /// Compares byte for byte, without joining the pieces.
    public func holdsSameBytes(as other: Payload) -> Bool {
        guard count == other.count else { return false }
        var position = 0
        var offset = 0
        for piece in pieces {
            var rest = piece
            while !rest.isEmpty {
                let theirs = other.pieces[position].dropFirst(offset)
                let length = min(rest.count, theirs.count)
                guard Payload.areEqual(rest.prefix(length), theirs.prefix(length)) else {
                    return false
                }
                rest = rest.dropFirst(length)
                offset += length
                if length == theirs.count {
                    position += 1
                    offset = 0
                }
            }
        }
        return true
    }

    /// Compares two slices of equal length, 32 bytes a turn: `==` on slices takes them one by one.
    private static func areEqual(_ left: Bytes, _ right: Bytes) -> Bool {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                var offset = 0
                while offset &+ 32 <= left.count {
                    let ours = left.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
                    let theirs = right.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
                    guard ours == theirs else { return false }
                    offset &+= 32
                }
                while offset < left.count {
                    guard left[offset] == right[offset] else { return false }
                    offset &+= 1
                }
                return true
            }
        }
    }
}
