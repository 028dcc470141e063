import Testing

@testable import Checkpoints
@testable import Engine

@Suite struct PackedMatrixTests {
    /// A grid of scales for a matrix of 40 rows and 96 columns, and the number of scales that a block of 16 rows has in a column.
    struct Grid {
        let rows: Int
        let columns: Int
        let scaleRows: Int
    }

    /// Blocks of rows as in released checkpoints; blocks of 24 rows, whose boundaries blocks of 16 rows cross; one scale for each
    /// row; and one scale for the tensor, whose rows are no multiple of 16.
    static let grids = [
        Grid(rows: 128, columns: 128, scaleRows: 1), Grid(rows: 16, columns: 32, scaleRows: 1),
        Grid(rows: 24, columns: 32, scaleRows: 16), Grid(rows: 1, columns: 96, scaleRows: 16),
        Grid(rows: 40, columns: 96, scaleRows: 1),
    ]

    @Test(arguments: grids, [NodePlan(threads: 1), NodePlan(ofThreads: [0, 1])])
    func `rows keep their scales, and blocks of rows share them where they can`(grid: Grid, nodes: NodePlan) {
        let (rows, columns) = (40, 96)
        let source = OwnedBytes(count: rows * columns)
        // Finite codes only.
        for index in 0..<rows * columns { source.bytes[index] = UInt8(index * 37 % 0x7f) }
        let gridColumns = (columns + grid.columns - 1) / grid.columns
        let count = (rows + grid.rows - 1) / grid.rows * gridColumns
        let scales = ScaleGrid(
            blockRows: grid.rows, blockColumns: grid.columns, gridColumns: gridColumns,
            values: (0..<count).map { 0.5 + Float($0) })
        let weight = LinearWeight(
            rows: rows, columns: columns, format: .float8(scales), bytes: UnsafeRawBufferPointer(source.bytes),
            owner: source)
        for kernels in KernelTable.available {
            let matrix = PackedMatrix(weight, memory: WeightMemory(nodes: nodes), nodes: nodes)
            let pool = WorkerPool(threads: nodes.threads, nodes: nodes, spinning: .zero)
            PackedMatrix.pack([(matrix, weight)], pool: pool, kernels: kernels)
            #expect(matrix.bytes == 3 * 16 * columns + 3 * gridColumns * grid.scaleRows * 4)
            var (packed, stored) = ([Float](repeating: 0, count: columns), [Float](repeating: 0, count: columns))
            for row in 0..<rows {
                matrix.unpack(row: row, factor: 1, into: &packed, kernels: kernels)
                weight.copyRow(row, into: &stored)
                #expect(packed == stored, "row \(row)")
            }
        }
    }
}
