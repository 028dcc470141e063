import Foundation
import Testing

@testable import Engine

struct ExponentialTests {
    @Test func `it agrees with the C library up to the last digits`() {
        for step in 0...70_000 {
            let x = -Double(step) * 0.0101
            let expected = exp(x)
            let error = abs(Exponential.value(x) - expected)
            if error > 2 * expected.ulp {
                Issue.record("exp(\(x)) is off by \(error / expected.ulp) units")
                return
            }
        }
    }

    @Test func `the ends of its range are exact`() {
        #expect(Exponential.value(0) == 1)
        #expect(Exponential.value(-.infinity) == 0)
        #expect(Exponential.value(-709) == 0)
        #expect(Exponential.value(-1e300) == 0)
        #expect(Exponential.value(-.leastNonzeroMagnitude) == 1)
        #expect(Exponential.value(-1e-15) <= 1)
    }
}
