import Foundation

/// The OpenBLAS functions for `--compute blas` and for training in float32. The library is loaded only when needed.
///
/// The program does not link the library, because the library starts threads while it is loaded. Each thread retries its allocation
/// of 128 MiB forever if the address space is limited, so that a process could neither start nor exit.
package struct OpenBLAS: Sendable {
    /// The type of `cblas_sgemm`, for float32. The arguments are order, transpositions of A and B, M, N, K, alpha, A, lda, B, ldb,
    /// beta, C, ldc.
    package typealias MatrixProduct =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32,
            Float, UnsafeMutablePointer<Float>?, Int32
        ) -> Void

    /// The values of the enums `CBLAS_ORDER` and `CBLAS_TRANSPOSE`, which are part of the library's binary interface.
    package static let rowMajor: Int32 = 101
    package static let noTranspose: Int32 = 111
    package static let transpose: Int32 = 112

    package let matrixProduct: MatrixProduct

    /// Loads the library and limits it to the calling thread. The library stays loaded until the process ends.
    ///
    /// - Throws: `EngineError.unsupported` with the dynamic linker's error message.
    package init() throws(EngineError) {
        guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) else {
            throw .unsupported("compute blas: cannot load OpenBLAS: \(Self.linkerError())")
        }
        let product = try Self.symbol("cblas_sgemm", in: library)
        let setThreads = try Self.symbol("openblas_set_num_threads", in: library)
        matrixProduct = unsafeBitCast(product, to: MatrixProduct.self)
        // The engine's workers call the library. Without this limit, the library would start as many threads again for each of
        // them.
        unsafeBitCast(setThreads, to: (@convention(c) (Int32) -> Void).self)(1)
    }

    private static func symbol(
        _ name: String, in library: UnsafeMutableRawPointer
    ) throws(EngineError) -> UnsafeMutableRawPointer {
        guard let address = dlsym(library, name) else {
            throw .unsupported("compute blas: OpenBLAS has no \(name): \(linkerError())")
        }
        return address
    }

    private static func linkerError() -> String {
        dlerror().map { String(cString: $0) } ?? "unknown reason"
    }
}
