import Checkpoints
import Engine
import JSON
import Testing

@testable import Training

@Suite struct OptimizerTests {
    /// With OpenBLAS, or with kernels.
    @Test(arguments: [nil] + KernelSet.available)
    func `Muon moves each matrix as the reference does`(kernels: KernelSet?) throws {
        let products = try MatrixProducts(pool: WorkerPool(threads: 1), kernels: kernels?.trainingKernels)
        let tensors = try TrainingFixture.tensors("muon.safetensors")
        let description = try TrainingFixture.json("muon.json")
        let cases = description["cases"]?.array ?? []
        #expect(cases.count == 9)
        let rate = try #require(description["lr"]?.double)
        for item in cases {
            let name = try #require(item["name"]?.string)
            let shape = (item["shape"]?.array ?? []).compactMap(\.integer)
            let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
            var muon = Muon()
            if let triples = item["coefficients"]?.array {
                muon.coefficients = triples.map { triple in
                    let numbers = (triple.array ?? []).compactMap(\.double).map { Float($0) }
                    return Muon.Coefficients(numbers[0], numbers[1], numbers[2])
                }
            }
            let weights = try Buffer(#require(tensors["\(name).w0"]).floats)
            let momenta = Buffer<Float>(count: weights.count)
            for step in 0..<3 {
                let gradients = try Buffer(#require(tensors["\(name).g\(step)"]).floats)
                // Stacked matrices are updated one by one.
                for start in stride(from: 0, to: weights.count, by: rows * columns) {
                    func matrix(_ memory: Buffer<Float>) -> Matrix {
                        Matrix(memory.base + start, rows: rows, columns: columns)
                    }
                    muon.update(
                        weights: matrix(weights), gradients: matrix(gradients), momenta: matrix(momenta),
                        gradientFactor: 1, learningRate: rate, products: products)
                }
                let expected = try #require(tensors["\(name).w\(step + 1)"]).doubles
                #expect(deviation(weights.array, expected).absolute < 1e-6, "\(name), step \(step)")
                let momentum = try #require(tensors["\(name).m\(step + 1)"]).doubles
                #expect(deviation(momenta.array, momentum).absolute < 1e-6, "\(name), step \(step)")
            }
        }
    }

    @Test func `AdamW moves weights as the reference does`() throws {
        let tensors = try TrainingFixture.tensors("adamw.safetensors")
        let weights = try Buffer(#require(tensors["w0"]).floats)
        let (first, second) = (Buffer<Float>(count: weights.count), Buffer<Float>(count: weights.count))
        var adam = AdamW()
        adam.weightDecay = 0.1
        for step in 1...3 {
            let gradients = try Buffer(#require(tensors["g\(step - 1)"]).floats)
            adam.update(
                weights: weights.base, gradients: gradients.base, first: first.base, second: second.base,
                count: weights.count, gradientFactor: 1, learningRate: 3e-3, step: step)
            for (memory, name) in [(weights, "w"), (first, "m"), (second, "v")] {
                let expected = try #require(tensors["\(name)\(step)"]).doubles
                #expect(deviation(memory.array, expected).absolute < 1e-6, "\(name), step \(step)")
            }
        }
    }

    @Test func `schedules and clipping give the factors of the reference`() throws {
        let json = try TrainingFixture.json("schedules.json")
        let schedules: [(String, LearningRateSchedule)] = [
            ("wsd", .wsd(warmup: 5, stable: 15, decay: 10, floor: 0.1)),
            ("wsd_to_zero", .wsd(warmup: 4, stable: 6, decay: 5, floor: 0)),
            ("cosine", .cosine(warmup: 5, total: 30, floor: 0.1)),
        ]
        for (name, schedule) in schedules {
            let factors = (json[name]?["factors"]?.array ?? []).compactMap(\.double)
            #expect(factors.count > 10)
            #expect(factors.indices.allSatisfy { abs(schedule.factor(step: $0) - factors[$0]) < 1e-15 }, "\(name)")
        }
        let clips = json["clip"]?.array ?? []
        #expect(clips.count == 6)
        for clip in clips {
            let norm = try #require(clip["norm"]?.double)
            #expect(GradientClipping.factor(norm: norm, limit: 1) == clip["factor"]?.double)
        }
        #expect(GradientClipping.factor(norm: 5, limit: nil) == 1)
    }

    @Test func `biases of experts follow the reference`() throws {
        let json = try TrainingFixture.json("expert_bias.json")
        let steps = json["steps"]?.array ?? []
        #expect(steps.count == 20)
        var (bias, momentum) = ([Float](repeating: 0, count: 8), [Float](repeating: 0, count: 8))
        var (plain, unused) = (bias, momentum)
        for (index, step) in steps.enumerated() {
            let counts = (step["counts"]?.array ?? []).compactMap(\.integer)
            ExpertBalancing.smebu(lambda: 5e-4, beta: 0.5, kappa: 2)
                .update(bias: &bias, momentum: &momentum, counts: counts)
            ExpertBalancing.auxFree(gamma: 1e-3).update(bias: &plain, momentum: &unused, counts: counts)
            for (values, name) in [
                (bias, "smebu_bias"), (momentum, "smebu_momentum"), (plain, "auxfree_bias"),
            ] {
                let expected = (step[name]?.array ?? []).compactMap(\.double)
                #expect(deviation(values, expected).absolute < 1e-7, "\(name), step \(index)")
            }
            if let violation = step["max_violation"]?.double {
                #expect(abs(ExpertBalancing.maximumViolation(counts) - violation) < 1e-12)
            }
        }
        #expect(unused == [Float](repeating: 0, count: 8))
    }
}
