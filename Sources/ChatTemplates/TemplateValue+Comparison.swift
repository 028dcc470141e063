// Python's `==` and `<`. The caller must charge the weight of the operands first.

extension TemplateValue {
    /// Returns the result of Python's `==`: numbers of all types are compared by value, and a list is never equal to a tuple.
    func equals(_ other: TemplateValue) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let left), .string(let right)): return left == right
        case (.bigInteger(let left), .bigInteger(let right)): return left == right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return left.values.count == right.values.count
                && zip(left.values, right.values).allSatisfy { $0.equals($1) }
        case (.iterable(let left, let leftElements), .iterable(let right, let rightElements)):
            return left == right && left != .generator && TemplateValue.list(leftElements).equals(.list(rightElements))
        case (.dictionary(let left), .dictionary(let right)):
            return left.count == right.count && left.pairs.allSatisfy { right[$0.key]?.equals($0.value) ?? false }
        case (.object(let left), .object(let right)): return left === right
        case (.function(let left), .function(let right)): return left == right
        case (.method(let left, let leftName), .method(let right, let rightName)):
            return leftName == rightName && left.equals(right)
        default:
            if let left = wholeNumber, let right = other.wholeNumber { return left == right }
            guard let left = number, let right = other.number else { return false }
            return left == right
        }
    }

    /// Returns whether the value is less than `other`, or `nil` if Python does not order them.
    func isLess(than other: TemplateValue) -> Bool? {
        switch (self, other) {
        case (.string(let left), .string(let right)): return left < right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            for (left, right) in zip(left.values, right.values) where !left.equals(right) {
                return left.isLess(than: right)
            }
            return left.values.count < right.values.count
        default:
            if let left = wholeNumber, let right = other.wholeNumber { return left < right }
            guard let left = number, let right = other.number else { return nil }
            return left < right
        }
    }

    /// The value of a 64-bit integer or a boolean.
    var wholeNumber: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    /// The value of any number, including booleans.
    var number: Double? {
        switch self {
        case .bool, .integer: wholeNumber.map { Double($0) }
        case .bigInteger(let digits): Double(digits)
        case .double(let value): value
        default: nil
        }
    }
}
