/// What becomes of the members of a request's body that the server does without: shared by the readers of all its objects.
///
/// Strict about what changes the answer, lenient about what does not: an unknown member is ignored and told, unless the server
/// runs with `--strict-parameters`.
final class ParameterPolicy {
    /// Whether unknown members are refused.
    let isStrict: Bool
    private(set) var ignored = IgnoredParameters()

    init(isStrict: Bool) {
        self.isStrict = isStrict
    }

    /// Does without a member that is not known here.
    ///
    /// - Throws: `APIError.unrecognized` where the server is strict.
    func ignoreUnknown(_ path: String) throws(APIError) {
        if isStrict { throw .unrecognized(param: path) }
        ignored.insert(path)
    }

    /// Does without a member.
    ///
    /// - Parameter refusal: what is thrown where the server is strict.
    func ignore(_ path: String, _ refusal: () -> APIError) throws(APIError) {
        if isStrict { throw refusal() }
        ignored.insert(path)
    }

    /// Does without a member that is known, and that a text model cannot honour.
    ///
    /// - Throws: `APIError.unsupported` where the server is strict.
    func ignoreUnsupported(_ path: String) throws(APIError) {
        if isStrict { throw .unsupported(param: path) }
        ignored.insert(path)
    }
}
