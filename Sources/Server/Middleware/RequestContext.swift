import HTTP
import HTTPTypes

/// The state of a request until it ends, in addition to its content.
struct RequestContext {
    var id: RequestID
    var method: HTTPRequest.Method
    /// The route of its path; nil if there is none.
    var route: Route?
    /// The status of its reply, once that has begun.
    var status: HTTPResponse.Status?
    /// Whether its errors have the form of Anthropic's API.
    var isAnthropic = false
    /// The name of its key; `RateLimiter.nobody` without keys.
    var key = RateLimiter.nobody
    /// The most urgent `priority` that its key allows; nil without keys: any.
    var minimumPriority: Int?
    /// The arrival time. Not meaningful for a request without a body.
    var arrival = ContinuousClock.now
    /// The deadline set by the request; nil: none.
    var deadline: ContinuousClock.Instant?
    /// The deadline of the work on its body, or on its reply's body.
    var preparationDeadline: ContinuousClock.Instant?
    /// The memory charge of its reply while it is written.
    var replyCharge: MemoryBudget.Reservation?
    /// The fields of every reply to it.
    var replyFields: HTTPFields = [:]
}
