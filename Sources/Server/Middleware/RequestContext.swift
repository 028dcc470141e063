import HTTP
import HTTPTypes

/// What is known of a request while it lives, beside what it asks for.
struct RequestContext {
    var id: RequestID
    var method: HTTPRequest.Method
    /// Nil where its path has none.
    var route: Route?
    /// Of its reply, once that has begun.
    var status: HTTPResponse.Status?
    /// Anthropic's API has errors in a form of its own.
    var isAnthropic = false
    /// The name of its key; `RateLimiter.nobody` where there are no keys.
    var key = RateLimiter.nobody
    /// The most urgent `priority` that its key may ask for; nil without keys: any.
    var minimumPriority: Int?
    /// When it came. Of a request without a body, never.
    var arrival = ContinuousClock.now
    /// When it must have been answered; nil: it has set itself no time.
    var deadline: ContinuousClock.Instant?
    /// When work on its body, or on its reply's body, must have ended.
    var preparationDeadline: ContinuousClock.Instant?
    /// What its reply takes of the memory for requests while it is written.
    var replyCharge: MemoryBudget.Reservation?
    /// What every reply to it says.
    var replyFields: HTTPFields = [:]
}
