import HTTPTypes

/// The limits of one key per minute; nil: no limit.
public struct RateLimits: Sendable, Hashable {
    public var requestsPerMinute: Int?
    /// The limit on prompt and generated tokens together.
    public var tokensPerMinute: Int?

    /// The most urgent `priority` of its requests; nil: 0.
    public var minimumPriority: Int?

    public init() {}

    /// These limits, with missing rates from `defaults`.
    func filled(from defaults: RateLimits) -> RateLimits {
        var limits = self
        limits.requestsPerMinute = requestsPerMinute ?? defaults.requestsPerMinute
        limits.tokensPerMinute = tokensPerMinute ?? defaults.tokensPerMinute
        return limits
    }
}

/// Counts the use of each key with token buckets, each of which holds the amount for one minute and refills at a constant rate.
/// A request takes one from the bucket of requests, and needs at least one in the bucket of tokens. Tokens are subtracted once
/// they are known: those of the prompt when the request is accepted, others as they are generated. The level of a bucket may
/// therefore become negative.
package struct RateLimiter {
    /// The key name of requests without a key.
    static let nobody = ""

    private struct Bucket {
        var capacity: Double
        var level: Double
        var time: ContinuousClock.Instant

        init(_ capacity: Int, _ now: ContinuousClock.Instant) {
            self.capacity = Double(capacity)
            level = self.capacity
            time = now
        }

        mutating func fill(_ capacity: Int, _ now: ContinuousClock.Instant) {
            self.capacity = Double(capacity)
            level = min(self.capacity, level + self.capacity * ((now - time) / .seconds(60)))
            time = now
        }

        /// The time in seconds until it holds `amount`.
        func wait(for amount: Double) -> Double { max(0, (amount - level) / capacity * 60) }
    }

    /// The values of a reply's rate limit fields.
    package struct Standing: Equatable {
        struct Part: Equatable {
            var limit: Int
            var remaining: Int
            /// The time in seconds until the limit is fully available again.
            var reset: Double
        }

        var requests: Part?
        var tokens: Part?
        /// The time in seconds after which a refused request would be accepted; nil if it is accepted.
        var retryAfter: Double?
        /// The exhausted limit.
        var exhausted: Exhausted?

        package enum Exhausted: String {
            case requests, tokens
        }
    }

    private var requests: [String: Bucket] = [:]
    private var tokens: [String: Bucket] = [:]

    /// Takes one request of `key`, if its limits allow it.
    mutating func admit(_ key: String, _ limits: RateLimits, now: ContinuousClock.Instant) -> Standing {
        var standing = Standing()
        var requestBucket = limits.requestsPerMinute.map { limit in
            requests[key].map {
                var bucket = $0
                bucket.fill(limit, now)
                return bucket
            } ?? Bucket(limit, now)
        }
        let tokenBucket = limits.tokensPerMinute.map { limit in
            tokens[key].map {
                var bucket = $0
                bucket.fill(limit, now)
                return bucket
            } ?? Bucket(limit, now)
        }
        let requestWait = requestBucket?.wait(for: 1) ?? 0
        let tokenWait = tokenBucket?.wait(for: 1) ?? 0
        if max(requestWait, tokenWait) > 0 {
            standing.retryAfter = max(requestWait, tokenWait)
            standing.exhausted = requestWait >= tokenWait ? .requests : .tokens
        } else {
            requestBucket?.level -= 1
        }
        requests[key] = requestBucket
        tokens[key] = tokenBucket
        standing.requests = requestBucket.map(Self.part)
        standing.tokens = tokenBucket.map(Self.part)
        return standing
    }

    /// Takes tokens that `key` has used.
    mutating func take(_ count: Int, of key: String) {
        tokens[key]?.level -= Double(count)
    }

    private static func part(_ bucket: Bucket) -> Standing.Part {
        Standing.Part(
            limit: Int(saturating: bucket.capacity), remaining: max(0, Int(saturating: bucket.level)),
            reset: bucket.wait(for: bucket.capacity))
    }
}

extension RateLimiter.Standing {
    /// The fields of OpenAI's replies: `x-ratelimit-limit-requests` and so on.
    var fields: HTTPFields {
        var fields: HTTPFields = [:]
        for (name, part) in [("requests", requests), ("tokens", tokens)] {
            guard let part else { continue }
            let reset = Self.text(seconds: part.reset)
            for (what, value) in [
                ("limit", String(part.limit)), ("remaining", String(part.remaining)), ("reset", reset),
            ] {
                if let field = HTTPField.Name("x-ratelimit-\(what)-\(name)") { fields[field] = value }
            }
        }
        return fields
    }

    /// In the format "6m0s", "1.5s", "20ms".
    static func text(seconds: Double) -> String {
        let milliseconds = max(0, Int(saturating: (seconds * 1000).rounded(.up)))
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60000)
        let (whole, thousandths) = rest.quotientAndRemainder(dividingBy: 1000)
        let tenths = thousandths / 100
        return (minutes > 0 ? "\(minutes)m" : "") + "\(whole)" + (tenths > 0 && minutes == 0 ? ".\(tenths)" : "") + "s"
    }
}
