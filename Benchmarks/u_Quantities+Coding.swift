// Facts that cross a process boundary carry units as plain numbers.

extension Instant: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(nanoseconds: try Int64(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws { try nanoseconds.encode(to: encoder) }
}

extension Interval: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(nanoseconds: try Int64(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws { try nanoseconds.encode(to: encoder) }
}

extension ByteCount: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(try Int64(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws { try bytes.encode(to: encoder) }
}

extension NodeID: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(try UInt32(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
}
