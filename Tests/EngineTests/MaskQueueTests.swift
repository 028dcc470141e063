import Testing

@testable import Engine

/// The order of slices with one worker, which the test controls.
@Suite struct MaskQueueTests {
    private var queue = MaskQueue()

    /// Runs slices; returns the request of each.
    private mutating func run(_ slices: Int, tenants: [MaskQueue.ID: String]) -> [MaskQueue.ID] {
        (0..<slices).compactMap { _ in
            guard let id = queue.next() else { return nil }
            queue.ran(id, tenant: tenants[id] ?? "", units: MaskQueue.unitsPerSlice)
            return id
        }
    }

    @Test mutating func `the tenant that was served least comes first`() {
        var tenants: [MaskQueue.ID: String] = [:]
        for _ in 0..<4 { tenants[queue.add(tenant: "many")] = "many" }
        let one = queue.add(tenant: "one")
        tenants[one] = "one"
        let slices = run(200, tenants: tenants)
        #expect((98...102).contains(slices.count { $0 == one }))
    }

    @Test mutating func `of one tenant the question with the least work comes first`() {
        let long = queue.add(tenant: "")
        let alone = run(100, tenants: [:])
        #expect(alone.allSatisfy { $0 == long })
        let short = queue.add(tenant: "")
        // The slice of the oldest may come before it.
        let slices = run(2, tenants: [:])
        #expect(slices.contains(short))
    }

    @Test mutating func `a long grammar gets its share even if newer ones never stop arriving`() {
        let long = queue.add(tenant: "")
        _ = run(50, tenants: [:])
        var slices = 0
        for _ in 0..<100 {
            let newer = queue.add(tenant: "")
            slices += run(8, tenants: [:]).count { $0 == long }
            queue.remove(newer)
        }
        #expect(slices >= 100 * 8 / MaskQueue.agedSlices)
    }

    /// Slices for a sequence's earlier tokens do not count against its next one.
    @Test mutating func `a long structured reply does not wait for newer long grammars`() {
        let newer = (0..<5).map { _ in queue.add(tenant: "") }
        for _ in 0..<100 {
            _ = run(10, tenants: [:])
            let next = queue.add(tenant: "")
            let slices = run(2, tenants: [:])
            #expect(slices.contains(next))
            queue.remove(next)
        }
        for question in newer { queue.remove(question) }
        #expect(queue.count == 0)
    }

    @Test
    mutating func `slices that a tenant got while workers were idle count against it only up to the longest lead`() {
        let (busy, idle) = (queue.add(tenant: "busy"), queue.add(tenant: "idle"))
        let tenants = [busy: "busy", idle: "idle"]
        // One tenant uses a worker for a thousand slices, during one slice of the other.
        let first = [queue.next(), queue.next()]
        #expect(first == [busy, idle])
        for _ in 0..<1000 {
            queue.ran(busy, tenant: "busy", units: MaskQueue.unitsPerSlice)
            let next = queue.next()
            #expect(next == busy)
        }
        queue.ran(busy, tenant: "busy", units: MaskQueue.unitsPerSlice)
        queue.ran(idle, tenant: "idle", units: MaskQueue.unitsPerSlice)
        let before = run(100, tenants: tenants).prefix { $0 != busy }
        #expect(before.count <= MaskQueue.longestLead / MaskQueue.unitsPerSlice)
    }

    @Test mutating func `a new tenant starts without debt or credit`() {
        var tenants = [queue.add(tenant: "first"): "first"]
        _ = run(1000, tenants: tenants)
        let second = queue.add(tenant: "second")
        tenants[second] = "second"
        let slices = run(100, tenants: tenants)
        #expect((49...51).contains(slices.count { $0 == second }))
    }

    @Test mutating func `a slice of a removed request is still charged`() {
        let (gone, other) = (queue.add(tenant: "a"), queue.add(tenant: "b"))
        let first = queue.next()
        #expect(first == gone)
        queue.remove(gone)
        let following = queue.add(tenant: "a")
        queue.ran(gone, tenant: "a", units: 4 * MaskQueue.unitsPerSlice)
        let slices = run(5, tenants: [following: "a", other: "b"])
        #expect(slices.prefix(4).allSatisfy { $0 == other })
    }
}
