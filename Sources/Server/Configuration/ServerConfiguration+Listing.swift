import JSON

/// The options in effect, for `trinity config`.
extension ServerConfiguration {
    /// One option per line: its name, its value and the source of the value. `-` means that there is no value, or that the
    /// server determines it at start.
    public var table: String {
        let rows = Option.allCases.map { option in
            (option.name, shown(option) ?? "-", sources[option]?.source.rawValue ?? "default")
        }
        let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
        return rows.map { name, value, source in
            name.padded(to: widths.0 + 2) + value.padded(to: widths.1 + 2) + source
        }.joined(separator: "\n")
    }

    /// The text of a file for `--config` with the options that were given. Secrets are left out.
    public var fileText: String {
        var object = JSONObject()
        for option in Option.allCases where option != .config && !option.entry.isSecret {
            if let text = sources[option]?.text { object[option.name] = .string(text) }
        }
        return String(decoding: JSONValue.object(object).serialized, as: UTF8.self)
    }

    /// The options that are set and that ``fileText`` leaves out because they are secrets.
    public var omittedSecrets: [String] {
        Option.allCases.filter { $0.entry.isSecret && sources[$0] != nil }.map(\.name)
    }

    private func shown(_ option: Option) -> String? {
        guard let text = sources[option]?.text else { return defaultText(option) }
        return option.entry.isSecret ? "(hidden)" : text
    }

    /// The current default; `nil` if there is none, or if the server determines it at start.
    private func defaultText(_ option: Option) -> String? {
        switch option {
        case .servedModelName: return servedModelName
        case .kvCacheDtype: return engine.cacheType.rawValue
        case .specTokens: return engine.speculativeTokens.map { String($0) }
        default:
            guard case .value(let text) = option.entry.standard else { return nil }
            return text
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
