/// A node of an expression tree.
indirect enum TemplateExpression: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case bigInteger(String)
    case double(Double)
    case string(TemplateString)
    case variable(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, name: String)
    case element(TemplateExpression, index: TemplateExpression)
    case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?, by: TemplateExpression?)
    case call(TemplateExpression, Arguments)
    case filter(TemplateExpression, Filter)
    case test(TemplateExpression, name: String, Arguments)
    case unary(Unary, TemplateExpression)
    case binary(Binary, TemplateExpression, TemplateExpression)
    /// `a < b <= c`: each operand is compared with the previous one.
    case comparison(TemplateExpression, [(operation: Comparison, operand: TemplateExpression)])
    case concatenation([TemplateExpression])
    /// Without `else`, the value is undefined, which prints as an empty string.
    case conditional(condition: TemplateExpression, then: TemplateExpression, else: TemplateExpression?)

    enum Unary: Sendable { case not, minus, plus }
    enum Binary: String, Sendable {
        case or, and
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case floorDivide = "//"
        case remainder = "%"
        case power = "**"
    }
    enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case `in`
        case notIn = "not in"
    }

    struct Arguments: Sendable {
        var positional: [TemplateExpression] = []
        var named: [(name: String, value: TemplateExpression)] = []
        /// `*list`.
        var positionalRest: TemplateExpression?
        /// `**mapping`.
        var namedRest: TemplateExpression?
    }

    struct Filter: Sendable {
        let name: String
        let arguments: Arguments
    }
}
