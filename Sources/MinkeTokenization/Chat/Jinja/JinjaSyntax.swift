/// An expression, with its height so that trees stay shallow enough to walk on any stack.
final class JinjaExpression: Sendable {
    indirect enum Kind: Sendable {
        case constant(JinjaValue)
        case name(String)
        case list([JinjaExpression])
        case object([(key: JinjaExpression, value: JinjaExpression)])
        case attribute(JinjaExpression, String)
        case item(JinjaExpression, JinjaExpression)
        case slice(JinjaExpression, start: JinjaExpression?, stop: JinjaExpression?, step: JinjaExpression?)
        case call(JinjaExpression, JinjaArguments)
        case filter(JinjaExpression, String, JinjaArguments)
        case test(JinjaExpression, String, JinjaArguments, isNegated: Bool)
        case not(JinjaExpression)
        case sign(JinjaExpression, isNegative: Bool)
        case binary(String, JinjaExpression, JinjaExpression)
        /// `a < b <= c`
        case comparison(JinjaExpression, [(operation: String, right: JinjaExpression)])
        case conditional(JinjaExpression, condition: JinjaExpression, otherwise: JinjaExpression?)
    }

    let kind: Kind
    let line: Int
    let height: Int

    init(_ kind: Kind, line: Int, height: Int) {
        self.kind = kind
        self.line = line
        self.height = height
    }
}

/// The arguments of a call, filter or test.
struct JinjaArguments: Sendable {
    var positional: [JinjaExpression] = []
    var named: [(name: String, value: JinjaExpression)] = []

    var expressions: [JinjaExpression] { positional + named.map(\.value) }
}

/// What a statement assigns to.
enum JinjaTarget: Sendable {
    case name(String)
    case attribute(String, String)
    case tuple([JinjaTarget])
}

/// A part of a template.
indirect enum JinjaStatement: Sendable {
    case data(MarkedText)
    case print(JinjaExpression)
    /// Conditions with their bodies; a missing condition is `else`.
    case branches([(condition: JinjaExpression?, body: [JinjaStatement])])
    case loop(JinjaLoop)
    case set(JinjaTarget, JinjaExpression, line: Int)
    case setBlock(JinjaTarget, [JinjaStatement], filters: [JinjaFilterCall], line: Int)
    case filterBlock([JinjaFilterCall], [JinjaStatement])
    case macro(JinjaMacro)
    case with([(target: JinjaTarget, value: JinjaExpression)], [JinjaStatement], line: Int)
    case breakLoop
    case continueLoop
    /// `{% generation %}`, which marks what the model wrote.
    case group([JinjaStatement])
}

/// A filter that is applied to what a block wrote.
struct JinjaFilterCall: Sendable {
    let name: String
    let arguments: JinjaArguments
    let line: Int
}

/// `{% for … %}`
struct JinjaLoop: Sendable {
    let target: JinjaTarget
    let sequence: JinjaExpression
    let condition: JinjaExpression?
    let body: [JinjaStatement]
    let otherwise: [JinjaStatement]
    let line: Int
}
