// Attributes, elements and slices. A name after a dot is looked up first as a method, then as a key. A name in brackets is looked
// up in the opposite order.
import Basics

extension TemplateInterpreter {
    func attribute(_ name: String, of owner: TemplateValue) throws(TemplateFailure) -> TemplateValue {
        if case .undefined(let undefined) = owner { throw .failed(undefined.message, undefined.kind) }
        if let value = member(name, of: owner) { return value }
        if case .dictionary(let dictionary) = owner, let value = dictionary[name] { return value }
        return missing(name, of: owner)
    }

    func element(_ index: TemplateValue, of owner: TemplateValue) throws(TemplateFailure) -> TemplateValue {
        switch (owner, index) {
        case (.undefined(let undefined), _): throw .failed(undefined.message, undefined.kind)
        case (.dictionary(let dictionary), _):
            try charge(index.weight)
            if index.isHashable, let value = dictionary[index] { return value }
        case (.list(let elements), _), (.tuple(let elements), _), (.iterable(.range, let elements), _):
            if let position = position(index, in: elements.values.count) { return elements.values[position] }
        case (.string(let string), _) where index.wholeNumber != nil:
            let scalars = string.scalars
            try charge(string.byteCount / 16)
            if let position = position(index, in: scalars.count) {
                return .string(string.picking([position]))
            }
        default: break
        }
        if let name = index.string {
            return member(name.text, of: owner) ?? missing(name.text, of: owner)
        }
        return .undefined(.other("\(owner.missingOwner) has no element \(try index.represented().text)"))
    }

    private func position(_ index: TemplateValue, in count: Int) -> Int? {
        guard let index = index.wholeNumber else { return nil }
        let position = index < 0 ? index + count : index
        return 0..<count ~= position ? position : nil
    }

    /// Returns what Python's `getattr` finds: methods, and attributes of objects.
    func member(_ name: String, of owner: TemplateValue) -> TemplateValue? {
        if case .object(let object) = owner, !name.hasPrefix("_") { return object.attribute(name) }
        guard let methods = Self.methodNames(of: owner) else { return nil }
        if methods.unsafe.contains(name) {
            return .undefined(.unsafe(name, of: owner.typeName))
        }
        return methods.safe.contains(name) ? .method(owner, name: name) : nil
    }

    private func missing(_ name: String, of owner: TemplateValue) -> TemplateValue {
        if name.hasPrefix("__") {
            return .undefined(.unsafe(name, of: owner.typeName))
        }
        return .undefined(.member(name, of: owner.missingOwner))
    }

    func slice(
        _ sequence: TemplateExpression, _ from: TemplateExpression?, _ to: TemplateExpression?,
        _ by: TemplateExpression?
    ) throws(TemplateFailure) -> TemplateValue {
        let sequence = try evaluate(sequence)
        let (from, to) = (try bound(from), try bound(to))
        let step = try bound(by) ?? 1
        guard step != 0 else { throw .failed("slice step cannot be zero") }
        switch sequence {
        case .undefined(let undefined): throw .failed(undefined.message, undefined.kind)
        case .string(let string):
            try charge(string.byteCount / 16)
            return try value(string.picking(indices(in: string.count, from, to, step)))
        case .list(let elements): return .list(try picking(elements.values, from, to, step))
        case .tuple(let elements): return .tuple(try picking(elements.values, from, to, step))
        case .iterable(.range, let elements):
            return .iterable(.range, TemplateValue.Elements(try picking(elements.values, from, to, step)))
        default: throw .failed("'\(sequence.typeName)' object cannot be sliced", .type)
        }
    }

    private func bound(_ expression: TemplateExpression?) throws(TemplateFailure) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if value.isNone { return nil }
        if case .undefined(let undefined) = value { throw .failed(undefined.message, undefined.kind) }
        guard let number = value.wholeNumber else { throw .failed("slice indices must be integers or None", .type) }
        return number
    }

    private func picking(
        _ values: [TemplateValue], _ from: Int?, _ to: Int?, _ step: Int
    ) throws(TemplateFailure) -> [TemplateValue] {
        let indices = Array(indices(in: values.count, from, to, step))
        try charge(indices.count)
        return indices.map { values[$0] }
    }

    /// Returns the indices of Python's `[from:to:step]`.
    private func indices(in count: Int, _ from: Int?, _ to: Int?, _ step: Int) -> StrideTo<Int> {
        let range = step > 0 ? 0...count : -1...count - 1
        func clamped(_ bound: Int) -> Int {
            let bound = bound < 0 ? max(bound, -count - 1) + count : bound
            return min(max(bound, range.lowerBound), range.upperBound)
        }
        let start = from.map(clamped) ?? (step > 0 ? 0 : count - 1)
        let end = to.map(clamped) ?? (step > 0 ? count : -1)
        let limited = min(max(step, -count - 1), count + 1)
        return stride(from: start, to: end, by: limited)
    }

    /// Returns the elements of an iteration over `value`.
    func elements(of value: TemplateValue) throws(TemplateFailure) -> [TemplateValue] {
        switch value {
        case .undefined: return []
        case .list(let elements), .tuple(let elements), .iterable(_, let elements):
            try charge(elements.values.count)
            return elements.values
        case .dictionary(let dictionary):
            try charge(dictionary.count)
            return dictionary.keys
        case .string(let string):
            try charge(string.byteCount)
            var elements: [TemplateValue] = []
            var checkpoint = CancellationCheck()
            for character in string.characters {
                if checkpoint.mustStop() { throw .cancelled }
                elements.append(.string(character))
            }
            return elements
        default: throw .failed("'\(value.typeName)' object is not iterable", .type)
        }
    }
}
