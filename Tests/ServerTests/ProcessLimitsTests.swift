import Testing

@testable import Server

/// Limits of the process that are too low.
@Suite struct ProcessLimitsTests {
    private func shortage(_ descriptors: UInt64, _ addressSpace: UInt64, cpus: Int = 2) -> ProcessLimits.Shortage? {
        do throws(ProcessLimits.Shortage) {
            try ProcessLimits(descriptors: descriptors, addressSpace: addressSpace, cpus: cpus).check()
            return nil
        } catch {
            return error
        }
    }

    @Test func `too few descriptors are a shortage`() {
        #expect(shortage(32, .max) == nil)
        #expect(shortage(31, .max) == .descriptors(31))
        #expect(shortage(31, .max)?.description.contains("(ulimit -n) must be at least 32; got 31") == true)
    }

    @Test func `too little address space is a shortage, and more CPUs need more`() {
        #expect(shortage(1024, 800 << 20) == nil)
        #expect(shortage(1024, 800 << 20 - 1) == .addressSpace(800 << 20 - 1, least: 800 << 20))
        #expect(shortage(1024, 800 << 20, cpus: 3) == .addressSpace(800 << 20, least: 816 << 20))
        #expect(shortage(1024, 1 << 20)?.description.contains("819200 KiB, beside the model; got 1024 KiB") == true)
    }

    @Test func `the limits of the test process are sufficient`() throws {
        try ProcessLimits.current.check()
    }
}
