func elementwiseCases() {
    for (rows, width) in [(1, 16), (3, 52), (2, 257)] {
        var random = RandomValues(seed: width)
        let x = Memory(floats: rows * width, limit: 100, &random)
        let weight = Memory(floats: width, &random)
        let out = Memory(floats: rows * width)
        Kernels.rmsNorm(x: x.floats, weight: weight.floats, out: out.floats, rows: rows, width: width, epsilon: 1e-5)
        report("rms norm", rows, width, 0, floats: out)
        Kernels.addRMSNorm(
            branch: out.floats, weight: weight.floats, residual: x.floats, rows: rows, width: width, epsilon: 1e-5)
        report("rms norm", rows, width, 1, floats: x)
        Kernels.siluMultiply(gate: x.floats, up: out.floats, rows: rows, width: width - 1, stride: width)
        report("silu", rows, width, 0, floats: x)
        Kernels.sigmoidMultiply(x: out.floats, gate: x.floats, count: rows * width)
        report("sigmoid", rows, width, 0, floats: out)
    }
    var random = RandomValues(seed: 1)
    let x = Memory(floats: 3 * 40, &random)
    let cosines = Memory(floats: 20, &random)
    let sines = Memory(floats: 20, &random)
    Kernels.rotate(x: x.floats, heads: 3, headDimension: 40, cosines: cosines.floats, sines: sines.floats)
    report("rotate", 3, 40, 0, floats: x)
}
