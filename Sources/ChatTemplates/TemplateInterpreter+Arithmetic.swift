import Foundation

// Python's arithmetic with 64-bit integers. A larger result is an error.

extension TemplateInterpreter {
    func signed(_ value: TemplateValue, isMinus: Bool) throws(TemplateFailure) -> TemplateValue {
        if let number = value.wholeNumber {
            return isMinus ? try integer(0.subtractingReportingOverflow(number)) : .integer(number)
        }
        switch value {
        case .double(let number): return .double(isMinus ? -number : number)
        case .bigInteger(let digits):
            guard isMinus else { return value }
            let positive = digits.hasPrefix("-") ? String(digits.dropFirst()) : "-" + digits
            return Int(positive).map { .integer($0) } ?? .bigInteger(positive)
        case .undefined(let undefined): throw .failed(undefined.message, undefined.kind)
        default: throw .failed("bad operand type for unary \(isMinus ? "-" : "+"): '\(value.typeName)'", .type)
        }
    }

    func calculate(
        _ operation: TemplateExpression.Binary, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateFailure) -> TemplateValue {
        if operation == .remainder, let format = left.string { return try value(try formatted(format, right)) }
        if case .undefined(let undefined) = left { throw .failed(undefined.message, undefined.kind) }
        if case .undefined(let undefined) = right { throw .failed(undefined.message, undefined.kind) }
        if let left = left.wholeNumber, let right = right.wholeNumber { return try calculate(operation, left, right) }
        if let left = left.number, let right = right.number { return try calculate(operation, left, right) }
        switch (operation, left, right) {
        case (.add, .string(let left), .string(let right)): return try value(try left.appending(right))
        case (.add, .string, _): throw .failed("can only concatenate str (not \"\(right.typeName)\") to str", .type)
        case (.add, .list(let left), .list(let right)):
            try charge(left.values.count + right.values.count)
            return .list(left.values + right.values)
        case (.add, .tuple(let left), .tuple(let right)):
            try charge(left.values.count + right.values.count)
            return .tuple(left.values + right.values)
        case (.multiply, _, _):
            if let count = right.wholeNumber { return try repeated(left, count) }
            if let count = left.wholeNumber { return try repeated(right, count) }
        default: break
        }
        throw .failed(
            "unsupported operand type(s) for \(operation.rawValue): '\(left.typeName)' and '\(right.typeName)'", .type)
    }

    private func repeated(_ sequence: TemplateValue, _ count: Int) throws(TemplateFailure) -> TemplateValue {
        func elements(_ values: [TemplateValue]) throws(TemplateFailure) -> [TemplateValue] {
            let (total, overflow) = values.count.multipliedReportingOverflow(by: max(0, count))
            try charge(overflow ? .max : total)
            return Array(repeatElement(values, count: values.isEmpty ? 0 : max(0, count)).joined())
        }
        switch sequence {
        case .string(let string): return try value(try string.repeated(count))
        case .list(let list): return .list(try elements(list.values))
        case .tuple(let tuple): return .tuple(try elements(tuple.values))
        default: throw .failed("unsupported operand type(s) for *: '\(sequence.typeName)' and 'int'", .type)
        }
    }

    private func integer(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateFailure) -> TemplateValue {
        guard !result.overflow else { throw .failed("an integer grew beyond 64 bits") }
        return .integer(result.partialValue)
    }

    private func calculate(
        _ operation: TemplateExpression.Binary, _ left: Int, _ right: Int
    ) throws(TemplateFailure) -> TemplateValue {
        switch operation {
        case .add: return try integer(left.addingReportingOverflow(right))
        case .subtract: return try integer(left.subtractingReportingOverflow(right))
        case .multiply: return try integer(left.multipliedReportingOverflow(by: right))
        case .floorDivide, .remainder:
            guard right != 0 else { throw .failed("integer division or modulo by zero") }
            // Python rounds down, Swift rounds toward zero.
            let (quotient, overflow) = left.dividedReportingOverflow(by: right)
            let remainder = overflow ? 0 : left % right
            let isShifted = remainder != 0 && (remainder < 0) != (right < 0)
            if operation == .remainder { return .integer(isShifted ? remainder + right : remainder) }
            return try integer((isShifted ? quotient - 1 : quotient, overflow))
        case .power where right >= 0:
            var result = (partialValue: 1, overflow: false)
            // For any base except -1, 0 and 1, the result overflows within 64 factors.
            let count = -1...1 ~= left && right > 2 ? 2 - right % 2 : right
            for _ in 0..<min(count, 64) where !result.overflow {
                result = result.partialValue.multipliedReportingOverflow(by: left)
            }
            return try integer(result)
        default: return try calculate(operation, Double(left), Double(right))
        }
    }

    private func calculate(
        _ operation: TemplateExpression.Binary, _ left: Double, _ right: Double
    ) throws(TemplateFailure) -> TemplateValue {
        switch operation {
        case .add: return .double(left + right)
        case .subtract: return .double(left - right)
        case .multiply: return .double(left * right)
        case .power:
            guard left != 0 || right >= 0 else { throw .failed("0.0 cannot be raised to a negative power") }
            guard left >= 0 || right == right.rounded() else { throw .failed("complex numbers are not supported") }
            return .double(pow(left, right))
        default:
            guard right != 0 else { throw .failed("float division by zero") }
            if operation == .divide { return .double(left / right) }
            var remainder = left.truncatingRemainder(dividingBy: right)
            if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
            return .double(operation == .remainder ? remainder : ((left - remainder) / right).rounded())
        }
    }
}
