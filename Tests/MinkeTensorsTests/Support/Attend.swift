import MinkeTensors

/// Attention over keys and values in one variable, each head's own key part before its value, as MLA's up-projection
/// makes them.
func attend(
    _ tape: Tape, _ q: Variable, keysValues: Variable, shared: Variable?, shape: AttentionShape, sequences: Int = 1
) -> Variable {
    let stride = shape.keyWidth + shape.valueWidth
    return tape.attention(
        q, keys: HeadColumns(keysValues, stride: stride),
        values: HeadColumns(keysValues, offset: shape.keyWidth, stride: stride), shared: shared, shape: shape,
        sequences: sequences)
}
