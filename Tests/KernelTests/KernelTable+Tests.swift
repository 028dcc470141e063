import KernelInterface
import Testing

@testable import Engine

extension KernelTable: CustomTestStringConvertible {
    public var testDescription: String { name }
}

// Kernels with array arguments: an array passed as a pointer is valid only for the duration of the call, so the structs of
// pointers are created inside the call.
extension KernelTable {
    func pack(
        _ format: WeightFormat, source: UnsafeRawPointer, rows: Int, columns: Int, blocks: Range<Int>,
        target: UnsafeMutableRawPointer
    ) {
        family.weights(format).pack(
            PackArguments(
                source: source, rows: rows, columns: columns, firstBlock: blocks.lowerBound, blocks: blocks.count,
                target: target))
    }

    func writeCache(
        _ format: CacheFormat, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, headDimension: Int,
        block: UnsafeMutableRawPointer, token: Int
    ) {
        family.cache(format).write(
            CacheWriteArguments(
                keys: keys, values: values, heads: 1, headDimension: headDimension, block: block, token: token))
    }

    func attend(
        _ format: CacheFormat, query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer,
        blockBytes: Int, table: UnsafePointer<Int32>, tableStride: Int, positions: Range<Int>, scale: Float,
        partial: UnsafeMutablePointer<Float>
    ) {
        attend(
            format,
            AttentionArguments(
                query: query, heads: heads, headDimension: headDimension, cache: cache, blockBytes: blockBytes,
                table: table, tableStride: tableStride, start: positions.lowerBound, end: positions.upperBound,
                scale: scale, partial: partial))
    }
}
