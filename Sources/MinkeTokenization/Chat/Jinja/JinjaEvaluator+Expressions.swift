import MinkeFiles

/// The values of arguments.
struct JinjaArgumentValues {
    var positional: [JinjaValue] = []
    var named: [String: JinjaValue] = [:]

    /// The argument at `index`, or the one called `name`.
    func value(_ index: Int, _ name: String) -> JinjaValue? {
        index < positional.count ? positional[index] : named[name]
    }
}

extension JinjaEvaluator {
    mutating func evaluate(_ expression: JinjaExpression) throws -> JinjaValue {
        let line = expression.line
        try count(line: line)
        return try deeper(line: line) { try $0.value(of: expression.kind, line: line) }
    }

    private mutating func value(of kind: JinjaExpression.Kind, line: Int) throws -> JinjaValue {
        switch kind {
        case .constant(let value): return value
        case .name(let name):
            if let value = try lookup(name, line: line) { return value }
            return Self.functions.contains(name) ? .function(name) : .undefined("'\(name)' is undefined")
        case .list(let elements):
            var values: [JinjaValue] = []
            for element in elements { values.append(try evaluate(element)) }
            return try checkNesting(of: .list(values), line: line)
        case .object(let pairs): return try object(pairs, line: line)
        case .attribute(let value, let name): return try attribute(name, of: evaluate(value), line: line)
        case .item(let value, let index): return try item(evaluate(index), of: evaluate(value), line: line)
        case .slice(let value, let start, let stop, let step):
            let bounds = try [start, stop, step].map { try $0.map { try evaluate($0) } ?? .none }
            return try slice(evaluate(value), bounds, line: line)
        case .call(let callee, let arguments): return try call(callee, arguments, line: line)
        case .filter(let value, let name, let arguments):
            return try apply(name, to: evaluate(value), values(arguments), line: line)
        case .test(let value, let name, let arguments, let isNegated):
            return .bool(try holds(name, evaluate(value), values(arguments), line: line) != isNegated)
        case .not(let value): return .bool(try !evaluate(value).isTrue)
        case .sign(let value, let isNegative): return try signed(evaluate(value), isNegative: isNegative, line: line)
        case .binary(let operation, let left, let right): return try binary(operation, left, right, line: line)
        case .comparison(let first, let others):
            var left = try evaluate(first)
            for (operation, expression) in others {
                let right = try evaluate(expression)
                guard try compare(operation, left, right, line: line) else { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .conditional(let value, let condition, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(value) }
            return try otherwise.map { try evaluate($0) } ?? .undefined("the condition has no else")
        }
    }

    mutating func values(_ arguments: JinjaArguments) throws -> JinjaArgumentValues {
        var values = JinjaArgumentValues()
        for argument in arguments.positional { values.positional.append(try self.argument(argument)) }
        for (name, argument) in arguments.named { values.named[name] = try self.argument(argument) }
        return values
    }

    /// The value of an argument; whoever takes a text reads it.
    private mutating func argument(_ expression: JinjaExpression) throws -> JinjaValue {
        let value = try evaluate(expression)
        try count(.copying, value.textValue?.count ?? 0, line: expression.line)
        return value
    }

    private mutating func object(
        _ pairs: [(key: JinjaExpression, value: JinjaExpression)], line: Int
    ) throws -> JinjaValue {
        var object = JinjaObject()
        for (key, value) in pairs {
            guard let key = try evaluate(key).textValue else {
                throw failure("a key of a dict that is no string", line: line)
            }
            try count(.hashing, key.count, line: line)
            object[key] = try evaluate(value)
        }
        return try checkNesting(of: .object(object), line: line)
    }

    // MARK: Access

    func attribute(_ name: String, of value: JinjaValue, line: Int) throws -> JinjaValue {
        let key = MarkedText(name, isTemplate: true)
        switch value {
        case .object(let object):
            if let value = object[key] { return value }
        case .namespace(let namespace):
            if let value = namespace.values[key] { return value }
        case .undefined(let why): throw failure(why, line: line)
        default: break
        }
        return .undefined("'\(value.typeName) object' has no attribute '\(name)'")
    }

    private mutating func item(_ index: JinjaValue, of value: JinjaValue, line: Int) throws -> JinjaValue {
        try count(.hashing, index.textValue?.count ?? 0, line: line)
        switch (value, index) {
        case (.object(let object), .text(let key)):
            return object[key] ?? .undefined("'dict object' has no attribute '\(key.text.prefix(80))'")
        case (.namespace(let namespace), .text(let key)):
            return namespace.values[key] ?? .undefined("there is no such attribute")
        case (.list(let values), .integer(let index)):
            let place = index < 0 ? index + values.count : index
            return values.indices.contains(place) ? values[place] : .undefined("list index \(index) is out of range")
        case (.text(let text), .integer(let index)):
            let place = index < 0 ? index + text.count : index
            return text.units.indices.contains(place)
                ? .text(text[place..<place + 1]) : .undefined("string index \(index) is out of range")
        case (.undefined(let why), _): throw failure(why, line: line)
        default: return .undefined("'\(value.typeName) object' has no such element")
        }
    }

    private mutating func slice(_ value: JinjaValue, _ bounds: [JinjaValue], line: Int) throws -> JinjaValue {
        let length: Int
        switch value {
        case .list(let values): length = values.count
        case .text(let text): length = text.count
        case .undefined(let why): throw failure(why, line: line)
        default: throw failure("'\(value.typeName)' object cannot be sliced", line: line)
        }
        let numbers = try bounds.map { bound -> Int? in
            if case .none = bound { return nil }
            guard let number = bound.intValue else { throw failure("slice indices must be integers", line: line) }
            return number
        }
        let step = numbers[2] ?? 1
        guard step != 0, step != .min else { throw failure("slice step cannot be zero", line: line) }
        let lowest = step > 0 ? 0 : -1
        let highest = step > 0 ? length : length - 1
        func place(_ bound: Int?, _ missing: Int) -> Int {
            guard let bound else { return missing }
            return min(max(bound < 0 ? max(bound, -length - 1) + length : bound, lowest), highest)
        }
        let start = place(numbers[0], step > 0 ? 0 : length - 1)
        let stop = place(numbers[1], step > 0 ? length : -1)
        let places = Array(stride(from: start, to: stop, by: step))
        try count(.copying, places.count, line: line)
        if case .list(let values) = value { return .list(places.map { values[$0] }) }
        return .text(MarkedText(units: places.map { value.string.units[$0] }))
    }

    // MARK: Operators

    private func signed(_ value: JinjaValue, isNegative: Bool, line: Int) throws -> JinjaValue {
        if let number = value.intValue {
            guard isNegative else { return .integer(number) }
            let (result, overflow) = (0).subtractingReportingOverflow(number)
            if overflow { throw failure("an integer out of range", line: line) }
            return .integer(result)
        }
        guard let number = value.doubleValue else {
            throw failure("bad operand type for unary -: '\(value.typeName)'", line: line)
        }
        return .number(isNegative ? -number : number)
    }

    private mutating func binary(
        _ operation: String, _ left: JinjaExpression, _ right: JinjaExpression, line: Int
    ) throws -> JinjaValue {
        let first = try evaluate(left)
        switch operation {
        case "and": return first.isTrue ? try evaluate(right) : first
        case "or": return first.isTrue ? first : try evaluate(right)
        default: break
        }
        let second = try evaluate(right)
        switch (operation, first, second) {
        case ("~", _, _):
            for value in [first, second] { try checkNesting(of: value, isWritten: true, line: line) }
            return .text(try checked(first.string + second.string, line: line))
        case ("+", .text(let left), .text(let right)): return .text(try checked(left + right, line: line))
        case ("+", .list(let left), .list(let right)):
            try count(left.count + right.count, line: line)
            return .list(left + right)
        case ("*", .text(let text), .integer(let times)), ("*", .integer(let times), .text(let text)):
            return .text(try checked(text.repeated(times), line: line))
        case (_, .undefined(let why), _), (_, _, .undefined(let why)): throw failure(why, line: line)
        default: return try arithmetic(operation, first, second, line: line)
        }
    }

    private func arithmetic(
        _ operation: String, _ left: JinjaValue, _ right: JinjaValue, line: Int
    ) throws -> JinjaValue {
        guard let first = left.doubleValue, let second = right.doubleValue else {
            throw failure(
                "unsupported operand type(s) for \(operation): '\(left.typeName)' and '\(right.typeName)'", line: line)
        }
        if ["/", "//", "%"].contains(operation), second == 0 { throw failure("division by zero", line: line) }
        if let left = left.intValue, let right = right.intValue, operation != "/" {
            guard let result = Self.integer(operation, left, right) else {
                throw failure("an integer out of range", line: line)
            }
            return .integer(result)
        }
        switch operation {
        case "+": return .number(first + second)
        case "-": return .number(first - second)
        case "*": return .number(first * second)
        case "/": return .number(first / second)
        case "//": return .number((first / second).rounded(.down))
        case "%": return .number(first - (first / second).rounded(.down) * second)
        default: throw failure("'**' takes integers only", line: line)
        }
    }

    /// Nil when the result has no room.
    private static func integer(_ operation: String, _ left: Int, _ right: Int) -> Int? {
        var result: (partialValue: Int, overflow: Bool)
        switch operation {
        case "+": result = left.addingReportingOverflow(right)
        case "-": result = left.subtractingReportingOverflow(right)
        case "*": result = left.multipliedReportingOverflow(by: right)
        case "//":
            result = left.dividedReportingOverflow(by: right)
            if !result.overflow, result.partialValue &* right != left, (left < 0) != (right < 0) {
                result.partialValue -= 1
            }
        case "%":
            result = left.remainderReportingOverflow(dividingBy: right)
            if !result.overflow, result.partialValue != 0, (result.partialValue < 0) != (right < 0) {
                result.partialValue += right
            }
        default:
            guard (0...64).contains(right) else { return nil }
            result = (1, false)
            for _ in 0..<right where !result.overflow {
                result = result.partialValue.multipliedReportingOverflow(by: left)
            }
        }
        return result.overflow ? nil : result.partialValue
    }

    mutating func compare(
        _ operation: String, _ left: JinjaValue, _ right: JinjaValue, line: Int
    ) throws -> Bool {
        switch operation {
        case "==", "!=":
            try checkNesting(of: left, line: line)
            return JinjaValue.areEqual(left, right) == (operation == "==")
        case "in": return try contains(right, left, line: line)
        case "not in": return try !contains(right, left, line: line)
        default:
            let isLess: Bool
            let isMore: Bool
            if let left = left.textValue, let right = right.textValue {
                try count(line: line)
                try count(.copying, left.count + right.count, line: line)
                (isLess, isMore) = (left < right, right < left)
            } else if let left = left.doubleValue, let right = right.doubleValue {
                (isLess, isMore) = (left < right, left > right)
            } else {
                throw failure(
                    "'\(operation)' not supported between instances of '\(left.typeName)' and '\(right.typeName)'",
                    line: line)
            }
            switch operation {
            case "<": return isLess
            case "<=": return !isMore
            case ">": return isMore
            default: return !isLess
            }
        }
    }

    private mutating func contains(_ container: JinjaValue, _ element: JinjaValue, line: Int) throws -> Bool {
        switch container {
        case .text(let text):
            guard let pattern = element.textValue else {
                throw failure("'in <string>' requires string as left operand, not \(element.typeName)", line: line)
            }
            try count(.copying, text.count + pattern.count, line: line)
            return text.find(pattern) != nil
        case .list(let values):
            try checkNesting(of: container, line: line)
            return values.contains { JinjaValue.areEqual($0, element) }
        case .object(let object):
            try count(.hashing, element.textValue?.count ?? 0, line: line)
            return element.textValue.map { object[$0] != nil } ?? false
        case .undefined: return false
        default: throw failure("argument of type '\(container.typeName)' is not iterable", line: line)
        }
    }
}
