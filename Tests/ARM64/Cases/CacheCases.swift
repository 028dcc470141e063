import KernelInterface

func cacheCases() {
    Cache<Kernels.Float32Cache>(name: "float32 cache", elementBytes: 4, scaleBytes: 0).run()
    Cache<Kernels.BFloat16Cache>(name: "bfloat16 cache", elementBytes: 2, scaleBytes: 0).run()
    Cache<Kernels.Float8Cache>(name: "float8 cache", elementBytes: 1, scaleBytes: 128).run()
}

/// Keys and values of a format: written, and then attended to.
private struct Cache<Format: CacheKernels> {
    let name: StaticString
    let elementBytes: Int
    let scaleBytes: Int

    func run() {
        for (heads, width, start, end) in [(1, 24, 0, 1), (2, 64, 5, 90), (7, 80, 33, 129), (4, 16, 20, 31)] {
            run(heads, width, start, end)
        }
    }

    private func run(_ heads: Int, _ width: Int, _ start: Int, _ end: Int) {
        var random = RandomValues(seed: width)
        let blocks = (end + 15) / 16
        let blockBytes = 32 * width * elementBytes + scaleBytes
        let cache = Memory(bytes: blocks * blockBytes)
        let table = Memory(bytes: blocks * 4)
        for block in 0..<blocks { table.integers[block] = Int32(blocks - 1 - block) }
        for position in 0..<end {
            let keys = Memory(floats: width, limit: position % 7 == 3 ? 0x1p-120 : 2, &random)
            let values = Memory(floats: width, &random)
            Format.write(
                CacheWriteArguments(
                    keys: keys.floats, values: values.floats, heads: 1, headDimension: width,
                    block: cache.base + Int(table.integers[position / 16]) * blockBytes, token: position % 16))
        }
        report(name, heads, width, 0, bytes: cache)

        let query = Memory(floats: heads * width, &random)
        let total = attend(query, cache, table, blockBytes, heads, width, start, end)
        report(name, heads, width, 1, floats: total)
        if end > 64 {
            let partial = attend(query, cache, table, blockBytes, heads, width, 0, 40)
            Kernels.mergeSegment(partial: partial.floats, heads: heads, headDimension: width, total: total.floats)
            report(name, heads, width, 2, floats: total)
        }
        let out = Memory(floats: heads * width)
        Kernels.finishAttention(total: total.floats, heads: heads, headDimension: width, out: out.floats)
        report(name, heads, width, 3, floats: out)
    }

    private func attend(
        _ query: Memory, _ cache: Memory, _ table: Memory, _ blockBytes: Int, _ heads: Int, _ width: Int, _ start: Int,
        _ end: Int
    ) -> Memory {
        let partial = Memory(floats: heads * (width + 2))
        Format.attend(
            AttentionArguments(
                query: query.floats, heads: heads, headDimension: width, cache: cache.base, blockBytes: blockBytes,
                table: table.integers, tableStride: 1, start: start, end: end, scale: 0.25, partial: partial.floats))
        return partial
    }
}
