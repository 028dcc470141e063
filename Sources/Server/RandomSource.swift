/// The source of seeds for requests without one: the system, or a simulation.
struct RandomSource: RandomNumberGenerator {
    private let draw: () -> UInt64

    init() {
        draw = { UInt64.random(in: .min ... .max) }
    }

    init(_ draw: @escaping () -> UInt64) {
        self.draw = draw
    }

    func next() -> UInt64 { draw() }
}
