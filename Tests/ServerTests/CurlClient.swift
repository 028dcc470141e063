import CCurl
import Foundation

/// One HTTP exchange by libcurl, blocking: call it through ``CurlClient/send(_:)``, which creates a thread for it.
struct CurlRequest: Sendable {
    var url: String
    var method = "GET"
    var headers: [String] = []
    var body: String?
    /// Closes the connection as soon as this many body bytes have arrived.
    var leavesAfterBytes: Int?
}

struct CurlResponse: Sendable {
    var status = 0
    /// The lines of the head as received.
    var head: [String] = []
    var body = ""
    /// Whether the exchange ended before the reply's end.
    var isCut = false

    func header(_ name: String) -> String? {
        head.first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    /// The data of each server-sent event.
    var events: [String] {
        body.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }
}

enum CurlClient {
    struct Failure: Error {
        let code: UInt32
    }

    /// Performs `request` on a thread of its own, so that blocked calls cannot starve the cooperative pool.
    static func send(_ request: CurlRequest) async throws -> CurlResponse {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try perform(request) })
            }
        }
    }

    /// What libcurl's callbacks write to; used by one thread, during one call.
    private final class Transfer {
        var response = CurlResponse()
        var bytes: [UInt8] = []
        var limit: Int?
    }

    private static func perform(_ request: CurlRequest) throws -> CurlResponse {
        guard let handle = curl_easy_init() else { throw Failure(code: 0) }
        defer { curl_easy_cleanup(handle) }
        let transfer = Transfer()
        transfer.limit = request.leavesAfterBytes
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for header in request.headers + ["Expect:"] { list = curl_slist_append(list, header) }

        curl_set_write(
            handle, { data, size, count, context in CurlClient.receive(data, size * count, context) }, context)
        curl_set_header(
            handle, { data, size, count, context in CurlClient.receiveHead(data, size * count, context) }, context)
        curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        curl_set_long(handle, CURLOPT_TIMEOUT, 300)
        curl_set_pointer(handle, CURLOPT_HTTPHEADER, list)
        let code = withExtendedLifetime(transfer) {
            request.url.withCString { url in
                request.method.withCString { method in
                    (request.body ?? "").withCString { body in
                        curl_set_pointer(handle, CURLOPT_URL, url)
                        curl_set_pointer(handle, CURLOPT_CUSTOMREQUEST, method)
                        if request.method == "HEAD" { curl_set_long(handle, CURLOPT_NOBODY, 1) }
                        if request.body != nil {
                            curl_set_long(handle, CURLOPT_POSTFIELDSIZE, strlen(body))
                            curl_set_pointer(handle, CURLOPT_POSTFIELDS, body)
                        }
                        return curl_easy_perform(handle)
                    }
                }
            }
        }
        var status = 0
        curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        transfer.response.status = status
        transfer.response.body = String(decoding: transfer.bytes, as: UTF8.self)
        transfer.response.isCut = code != CURLE_OK
        let left = request.leavesAfterBytes != nil && code == CURLE_WRITE_ERROR
        guard code == CURLE_OK || left else { throw Failure(code: code.rawValue) }
        return transfer.response
    }

    private static func receive(_ data: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?)
        -> Int
    {
        guard let data, let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        transfer.bytes += UnsafeRawBufferPointer(start: data, count: count)
        if let limit = transfer.limit, transfer.bytes.count >= limit { return 0 }
        return count
    }

    private static func receiveHead(
        _ data: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        guard let data, let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let line = String(decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
        transfer.response.head.append(line.trimmingCharacters(in: .newlines))
        return count
    }
}
