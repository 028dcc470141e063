/// The scheduling parameters of a sequence: its priority, tenant and deadline.
public struct SchedulingParameters: Sendable, Equatable {
    /// The priority. Lower values run first.
    public var priority: Int
    /// The tenant to which the sequence is accounted. Within a priority, tenants get equal shares.
    public var tenant: String
    /// The time at which the sequence ends if it has not finished, on the clock of the scheduler's caller. `nil` means no deadline.
    public var deadline: Duration?

    public init(priority: Int = 0, tenant: String = "", deadline: Duration? = nil) {
        self.priority = priority
        self.tenant = tenant
        self.deadline = deadline
    }
}
