/// Decides what happens to parameters of a request that the server does not support. The readers of all objects in the body
/// share it.
///
/// Parameters that change the answer are refused. All others, such as unknown members, are ignored and reported, unless the
/// server runs with `--strict-parameters`.
final class ParameterPolicy {
    /// Whether unknown members are refused.
    let isStrict: Bool
    private(set) var ignored = IgnoredParameters()

    init(isStrict: Bool) {
        self.isStrict = isStrict
    }

    /// Ignores an unknown member.
    ///
    /// - Throws: `APIError.unrecognized` if the server is strict.
    func ignoreUnknown(_ path: String) throws(APIError) {
        if isStrict { throw .unrecognized(param: path) }
        ignored.insert(path)
    }

    /// Ignores a member.
    ///
    /// - Parameter refusal: the error that is thrown if the server is strict.
    func ignore(_ path: String, _ refusal: () -> APIError) throws(APIError) {
        if isStrict { throw refusal() }
        ignored.insert(path)
    }

    /// Ignores a known member that a text model cannot support.
    ///
    /// - Throws: `APIError.unsupported` if the server is strict.
    func ignoreUnsupported(_ path: String) throws(APIError) {
        if isStrict { throw .unsupported(param: path) }
        ignored.insert(path)
    }
}
