/// How a sequence is scheduled: its priority, tenant and deadline.
public struct SchedulingParameters: Sendable, Equatable {
    /// Lower is earlier.
    public var priority: Int
    /// On whose account it runs: within a priority, tenants get equal shares.
    public var tenant: String
    /// When it ends if it has not ended by itself, on the clock of the scheduler's caller; `nil`: never.
    public var deadline: Duration?

    public init(priority: Int = 0, tenant: String = "", deadline: Duration? = nil) {
        self.priority = priority
        self.tenant = tenant
        self.deadline = deadline
    }
}
