// Filters that compare elements. String comparison ignores case unless `case_sensitive` is set.

extension TemplateInterpreter {
    func orderFilter(
        _ name: String, _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "sort":
            let values = try arguments.bind(name, "reverse", "case_sensitive", "attribute")
            let attributes = values[2]?.string.map { $0.split(by: ",", limit: .max, fromRight: false) } ?? []
            let items = try elements(of: input)
            var keyed: [(key: TemplateValue, value: TemplateValue)] = []
            for item in items {
                var keys: [TemplateValue] = []
                for attribute in attributes {
                    keys.append(try folded(try value(of: .string(attribute), in: item), values[1]))
                }
                if attributes.isEmpty { keys = [try folded(try value(of: values[2], in: item), values[1])] }
                keyed.append((keys.count == 1 ? keys[0] : .tuple(keys), item))
            }
            return .list(try sorted(keyed, isReversed: values[0]?.isTrue ?? false))
        case "min", "max":
            let values = try arguments.bind(name, "case_sensitive", "attribute")
            return try extreme(input, isMaximum: name == "max", caseSensitive: values[0], attribute: values[1])
        case "unique":
            let values = try arguments.bind(name, "case_sensitive", "attribute")
            var seen = TemplateDictionary()
            var result: [TemplateValue] = []
            for item in try elements(of: input) {
                let key = try self.key(try folded(try value(of: values[1], in: item), values[0]))
                if seen[key] == nil { result.append(item) }
                seen.set(key, .none)
            }
            return .generator(result)
        case "groupby": return .list(try groups(input, arguments))
        default: return .list(try sortedPairs(input, arguments))
        }
    }

    private func folded(
        _ value: TemplateValue, _ caseSensitive: TemplateValue?
    ) throws(TemplateFailure) -> TemplateValue {
        guard let string = value.string, !(caseSensitive?.isTrue ?? false) else { return value }
        return try self.value(string.lowercased)
    }

    /// Sorts stably, also when reversed, like Python's `sorted`.
    private func sorted(
        _ keyed: [(key: TemplateValue, value: TemplateValue)], isReversed: Bool
    ) throws(TemplateFailure) -> [TemplateValue] {
        var failure: TemplateFailure?
        let order = keyed.indices.sorted { left, right in
            guard failure == nil else { return false }
            do throws(TemplateFailure) {
                let (first, second) = isReversed ? (right, left) : (left, right)
                if try isLess(keyed[first].key, keyed[second].key) { return true }
                return try isLess(keyed[second].key, keyed[first].key) ? false : left < right
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return order.map { keyed[$0].value }
    }

    private func extreme(
        _ input: TemplateValue, isMaximum: Bool, caseSensitive: TemplateValue?, attribute: TemplateValue?
    ) throws(TemplateFailure) -> TemplateValue {
        var best: (key: TemplateValue, value: TemplateValue)?
        for item in try elements(of: input) {
            let key = try folded(try value(of: attribute, in: item), caseSensitive)
            guard let current = best else {
                best = (key, item)
                continue
            }
            if isMaximum ? try isLess(current.key, key) : try isLess(key, current.key) { best = (key, item) }
        }
        return best?.value ?? .undefined(.other("No aggregated item, sequence was empty."))
    }

    /// Returns pairs of a key and the elements with this key, ordered by key.
    private func groups(
        _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> [TemplateValue] {
        let values = try arguments.bind("groupby", "attribute", "default", "case_sensitive")
        var keyed: [(key: TemplateValue, value: TemplateValue)] = []
        for item in try elements(of: input) {
            let key = try value(of: values[0], in: item, default: values[1])
            keyed.append((try folded(key, values[2]), .tuple([key, item])))
        }
        var groups: [(key: TemplateValue, folded: TemplateValue, items: [TemplateValue])] = []
        for pair in try sorted(keyed, isReversed: false) {
            let pair = try elements(of: pair)
            let key = try folded(pair[0], values[2])
            if let last = groups.last, try areEqual(last.folded, key) {
                groups[groups.count - 1].items.append(pair[1])
            } else {
                groups.append((pair[0], key, [pair[1]]))
            }
        }
        return groups.map { .tuple([$0.key, .list($0.items)]) }
    }

    private func sortedPairs(
        _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> [TemplateValue] {
        let values = try arguments.bind("dictsort", "case_sensitive", "by", "reverse")
        guard case .dictionary(let dictionary) = input else { throw .failed("'\(input.typeName)' object has no items") }
        let by = values[1]?.string ?? "key"
        guard by == "key" || by == "value" else { throw .failed("You can only sort by either \"key\" or \"value\"") }
        var keyed: [(key: TemplateValue, value: TemplateValue)] = []
        for pair in dictionary.pairs {
            keyed.append((try folded(by == "key" ? pair.key : pair.value, values[0]), .tuple([pair.key, pair.value])))
        }
        return try sorted(keyed, isReversed: values[2]?.isTrue ?? false)
    }
}
