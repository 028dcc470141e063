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
    /// What every reply to it says.
    var replyFields: HTTPFields = [:]
}
