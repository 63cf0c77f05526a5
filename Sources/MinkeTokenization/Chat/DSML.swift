/// The fixed texts of V3.2 and V4.
enum DSML {
    static let bar = "｜DSML｜"

    /// What precedes the functions' schemas in V3.2.
    static let toolsHeaderOfV32 = """
        ## Tools

        You have access to a set of tools you can use to answer the user's question.
        You can invoke functions by writing a "<\(bar)function_calls>" block like the following as part of \
        your reply to the user:
        <\(bar)function_calls>
        <\(bar)invoke name="$FUNCTION_NAME">
        <\(bar)parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</\(bar)parameter>
        ...
        </\(bar)invoke>
        <\(bar)invoke name="$FUNCTION_NAME2">
        ...
        </\(bar)invoke>
        </\(bar)function_calls>

        String and scalar parameters should be specified as is without any escaping or quotes, while lists \
        and objects should use JSON format. The "string" attribute should be set to "true" for string type \
        parameters and "false" for other types (numbers, booleans, arrays, objects).

        If the thinking_mode is enabled, then after function results you should strongly consider \
        outputting a thinking block. Here is an example:

        <\(bar)function_calls>
        ...
        </\(bar)function_calls>

        <function_results>
        ...
        </function_results>

        <think>...thinking about results</think>

        Here are the functions available in JSONSchema format:
        <functions>

        """

    /// What precedes the functions' schemas in V4.
    static let toolsHeaderOfV4 = """
        ## Tools

        You have access to a set of tools to help answer the user's question. You can invoke tools by \
        writing a "<\(bar)tool_calls>" block like the following:

        <\(bar)tool_calls>
        <\(bar)invoke name="$TOOL_NAME">
        <\(bar)parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</\(bar)parameter>
        ...
        </\(bar)invoke>
        <\(bar)invoke name="$TOOL_NAME2">
        ...
        </\(bar)invoke>
        </\(bar)tool_calls>

        String parameters should be specified as is and set `string="true"`. For all other types (numbers, \
        booleans, arrays, objects), pass the value in JSON format and set `string="false"`.

        If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside \
        <think>...</think> BEFORE any tool calls or final response.

        Otherwise, output directly after </think> with tool calls or final response.

        ### Available Tool Schemas


        """

    /// What follows the functions' schemas in V4.
    static let toolsFooterOfV4 = """

        You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.

        """

    /// What precedes the schema of a required form of answers in V4.
    static let responseFormat = """


        ## Response Format:

        You MUST strictly adhere to the following schema to reply:

        """

    /// What V4 is told when it shall think as much as it can.
    static let maximumEffort = """
        Reasoning Effort: Absolute maximum with no shortcuts permitted.
        You MUST be very thorough in your thinking and comprehensively decompose the problem to resolve the \
        root cause, rigorously stress-testing your logic against all potential paths, edge cases, and \
        adversarial scenarios.
        Explicitly write out your entire deliberation process, documenting every intermediate step, \
        considered alternative, and rejected hypothesis to ensure absolutely no assumption is left \
        unchecked.


        """
}
