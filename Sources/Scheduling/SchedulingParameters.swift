/// How a sequence is scheduled: its priority, tenant and deadline.
public struct SchedulingParameters: Sendable, Equatable {
    /// Lower is earlier.
    public var priority: Int
    /// The tenant to which it is accounted: within a priority, tenants get equal shares.
    public var tenant: String
    /// The time at which it ends if it has not finished, on the clock of the scheduler's caller; `nil`: none.
    public var deadline: Duration?

    public init(priority: Int = 0, tenant: String = "", deadline: Duration? = nil) {
        self.priority = priority
        self.tenant = tenant
        self.deadline = deadline
    }
}
