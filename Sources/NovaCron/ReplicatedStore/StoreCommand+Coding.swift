import Machines

// For reports and histories: commands and results as the array of their bytes on the wire, because byte
// slices have no coded form of their own.

extension StoreCommand: Codable {
    public init(from decoder: any Decoder) throws {
        var reader = WireReader(try [UInt8](from: decoder))
        self = try StoreCommand(from: &reader)
        try reader.expectEnd()
    }

    public func encode(to encoder: any Encoder) throws {
        var writer = WireWriter()
        encode(into: &writer)
        try writer.bytes.encode(to: encoder)
    }
}

extension StoreResult: Codable {
    public init(from decoder: any Decoder) throws {
        var reader = WireReader(try [UInt8](from: decoder))
        self = try StoreResult(from: &reader)
        try reader.expectEnd()
    }

    public func encode(to encoder: any Encoder) throws {
        var writer = WireWriter()
        encode(into: &writer)
        try writer.bytes.encode(to: encoder)
    }
}
