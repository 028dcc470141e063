/// The header of a GGUF file: the metadata, then the name, shape, type and offset of each tensor, followed by the tensors' data
/// (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian).
///
/// Allocations do not depend on what the file claims: every count is compared with the remaining bytes, of which there are at
/// most ``mostBytes``.
public struct GGUFHeader {
    public struct Entry {
        public var type: GGUFType
        /// The row-major shape: the last dimension is contiguous in the file.
        public var shape: [Int]
        /// The range of the tensor's bytes in the file.
        public var range: Range<Int>
    }

    /// The metadata, as views of the parsed bytes.
    public let metadata: [String: GGUFValue]
    public let entries: [String: Entry]
    /// The size of the header in bytes, without the padding before the tensors' data.
    let bytes: Int

    /// The maximum size of a header in bytes. It also bounds the texts in the header and the time to parse it. Real headers have
    /// up to 20 MB, most of it tokens and merges.
    static let mostBytes = 256 << 20
    /// The maximum numbers of metadata pairs and of tensors in one file; real files have fewer than a hundred and fewer than a
    /// thousand.
    private static let mostPairs = 1 << 14
    static let mostTensors = 1 << 16
    private static let longestName = 512
    private static let mostDimensions = 4
    private static let largestAlignment = 1 << 16

    /// - Parameters:
    ///   - file: the whole file.
    ///   - path: the path for error messages.
    /// - Throws: `CheckpointError.unusable`, with the name of the invalid tensor.
    public init(parsing file: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
        var tensor: String?
        do throws(GGUFReader.Failure) {
            var reader = GGUFReader(UnsafeRawBufferPointer(rebasing: file.prefix(Self.mostBytes)))
            let (tensors, pairs) = try Self.counts(&reader)
            metadata = try Self.metadata(&reader, count: pairs)
            var infos: [(name: String, info: Info)] = []
            for _ in 0..<tensors {
                tensor = nil
                let name = try reader.name(atMost: Self.longestName)
                tensor = name
                infos.append((name, try Info(&reader)))
            }
            tensor = nil
            bytes = reader.position
            let alignment = try Self.alignment(metadata)
            let start = (reader.position + alignment - 1) / alignment * alignment
            var entries: [String: Entry] = [:]
            for (name, info) in infos {
                tensor = name
                let entry = try info.entry(from: start, of: file.count, alignment: alignment)
                guard entries.updateValue(entry, forKey: name) == nil else {
                    throw GGUFReader.Failure(reason: "occurs twice")
                }
            }
            try Self.checkOverlaps(entries, &tensor)
            self.entries = entries
        } catch {
            throw .unusable(file: path, tensor: tensor, reason: error.reason)
        }
    }

    private static func counts(_ reader: inout GGUFReader) throws(GGUFReader.Failure) -> (tensors: Int, pairs: Int) {
        guard reader.left >= 4 else { throw .init(reason: "too short for a GGUF file") }
        guard try reader.integer(UInt32.self) == 0x4655_4747 else { throw .init(reason: "not a GGUF file") }
        let version = try reader.integer(UInt32.self)
        guard version != 2, version != 3 else {
            let tensors = try reader.integer(UInt64.self)
            let pairs = try reader.integer(UInt64.self)
            // A tensor has at least a name length, a number of dimensions, a type and an offset. A pair has at least a name
            // length, a kind and one byte.
            let (least, overflow) = tensors.multipliedReportingOverflow(by: 24)
            guard !overflow, least <= UInt64(reader.left), pairs <= (UInt64(reader.left) - least) / 13 else {
                throw .init(reason: "counts \(GGUFReader.end): \(tensors) tensors, \(pairs) pairs")
            }
            guard tensors <= UInt64(mostTensors), pairs <= UInt64(mostPairs) else {
                throw .init(
                    reason: """
                        \(tensors) tensors and \(pairs) pairs, more than the limits of \(mostTensors) and \(mostPairs)
                        """)
            }
            return (Int(tensors), Int(pairs))
        }
        let swapped = version.byteSwapped
        throw .init(
            reason: swapped == 2 || swapped == 3
                ? "big-endian GGUF is not supported" : "GGUF version \(version) is not supported (supported: 2, 3)")
    }

    private static func metadata(
        _ reader: inout GGUFReader, count: Int
    ) throws(GGUFReader.Failure) -> [String: GGUFValue] {
        var metadata: [String: GGUFValue] = [:]
        for _ in 0..<count {
            let key = try reader.name(atMost: longestName)
            do throws(GGUFReader.Failure) {
                let value = try reader.value(try reader.valueKind())
                guard metadata.updateValue(value, forKey: key) == nil else { throw .init(reason: "occurs twice") }
            } catch {
                throw .init(reason: "\(key): \(error.reason)")
            }
        }
        return metadata
    }

    private static func alignment(_ metadata: [String: GGUFValue]) throws(GGUFReader.Failure) -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard let alignment = value.integer, (1...largestAlignment).contains(alignment), alignment.nonzeroBitCount == 1
        else { throw .init(reason: "general.alignment is not a power of two up to \(largestAlignment)") }
        return alignment
    }

    private static func checkOverlaps(
        _ entries: [String: Entry], _ tensor: inout String?
    ) throws(GGUFReader.Failure) {
        let places = entries.filter { !$0.value.range.isEmpty }
            .sorted { ($0.value.range.lowerBound, $0.key) < ($1.value.range.lowerBound, $1.key) }
        for (earlier, later) in zip(places, places.dropFirst())
        where later.value.range.lowerBound < earlier.value.range.upperBound {
            tensor = later.key
            throw .init(reason: "overlaps tensor \(earlier.key)")
        }
    }

    /// A tensor as described by the header, not yet compared with the file's length.
    private struct Info {
        /// The dimensions, with the contiguous one first.
        var dimensions: [UInt64] = []
        var type: GGUFType
        var offset: UInt64

        init(_ reader: inout GGUFReader) throws(GGUFReader.Failure) {
            let count = try reader.integer(UInt32.self)
            guard count <= UInt32(mostDimensions) else {
                throw .init(reason: "more than \(mostDimensions) dimensions: \(count)")
            }
            for _ in 0..<count { dimensions.append(try reader.integer(UInt64.self)) }
            let number = try reader.integer(UInt32.self)
            guard let type = GGUFType(rawValue: number) else {
                throw .init(reason: "type \(GGUFType.name(of: number)) is not supported")
            }
            self.type = type
            offset = try reader.integer(UInt64.self)
        }

        func entry(from start: Int, of fileBytes: Int, alignment: Int) throws(GGUFReader.Failure) -> Entry {
            let columns = dimensions.first ?? 1
            guard columns.isMultiple(of: UInt64(type.blockColumns)) else {
                throw .init(reason: "\(columns) columns are not whole blocks of \(type.blockColumns) (\(type.name))")
            }
            var (bytes, overflows) = (columns / UInt64(type.blockColumns)).multipliedReportingOverflow(
                by: UInt64(type.blockBytes))
            var overflow = overflows
            // Zeros would hide an overflow of the other dimensions.
            var elements = columns
            for size in dimensions.dropFirst() {
                (elements, overflows) = max(elements, 1).multipliedReportingOverflow(by: max(size, 1))
                overflow = overflow || overflows
                (bytes, overflows) = bytes.multipliedReportingOverflow(by: size)
                overflow = overflow || overflows
            }
            guard !overflow, elements <= UInt64(Int.max), bytes <= UInt64(Int.max) else {
                throw .init(reason: "size overflow: \(dimensions)")
            }
            guard offset.isMultiple(of: UInt64(alignment)) else {
                throw .init(reason: "an offset that is not aligned to \(alignment): \(offset)")
            }
            let room = UInt64(max(fileBytes - start, 0))
            // A tensor without bytes also has an offset in the file.
            guard start <= fileBytes, offset <= room, bytes <= room - offset else {
                throw .init(reason: "a tensor beyond the file: \(bytes) bytes at \(offset) of \(room)")
            }
            let first = start + Int(offset)
            return Entry(
                type: type, shape: dimensions.reversed().map { Int($0) }, range: first..<first + Int(bytes))
        }
    }
}
