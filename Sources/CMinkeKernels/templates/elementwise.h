// Element-wise and row-wise operations, each beside its gradient.

static void convert(const void *x, int32_t xType, void *y, int32_t yType, int64_t count) {
    WITH_TYPE(xType, X, WITH_TYPE(yType, Y, {
        for (int64_t i = 0; i < count; i += WIDTH) storeUpTo(y, i, count, Y, loadUpTo(x, i, count, X));
    }));
}

static void accumulate(const void *x, int32_t xType, float *y, int64_t count) {
    WITH_TYPE(xType, X, {
        for (int64_t i = 0; i < count; i++) y[i] += load(x, i, X);
    });
}

static void scale(float *x, float factor, int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] *= factor;
}

static void axpby(const float *x, float *y, float alpha, float beta, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = alpha * x[i] + beta * y[i];
}

static double sumOfSquares(const float *x, int64_t count) {
    REASSOCIATE
    double total = 0;
    for (int64_t start = 0; start < count; start += 1024) {
        int64_t end = start + 1024 < count ? start + 1024 : count;
        float sum = 0;
        for (int64_t i = start; i < end; i++) sum += x[i] * x[i];
        total += sum;
    }
    return total;
}

static void addBias(void *x, int32_t type, int64_t stride, const float *bias, int64_t rows, int64_t columns) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) store(x, r * stride + c, T, load(x, r * stride + c, T) + bias[c]);
    });
}

static void sumRows(const void *x, int32_t type, int64_t stride, float *sums, int64_t rows, int64_t columns) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) sums[c] += load(x, r * stride + c, T);
    });
}

// RMSNorm: y = w ⊙ x·r, r = 1/sqrt(mean(x²) + ε).

INLINE void normForwardTyped(const void *x, const int X, int64_t xStride, const float *w, float epsilon, void *y,
                             const int Y, int64_t yStride, float *inverseRMS, int64_t rows, int64_t n) {
    REASSOCIATE
    for (int64_t r = 0; r < rows; r++) {
        const void *from = advanced(x, r * xStride, X);
        void *to = advanced(y, r * yStride, Y);
        float sum = 0;
        for (int64_t i = 0; i < n; i++) {
            float value = load(from, i, X);
            sum += value * value;
        }
        float inverse = 1.0f / sqrtf(sum / (float)n + epsilon);
        if (inverseRMS) inverseRMS[r] = inverse;
        for (int64_t i = 0; i < n; i += WIDTH)
            storeUpTo(to, i, n, Y, loadUpTo(from, i, n, X) * inverse * loadUpTo(w, i, n, MinkeFloat32));
    }
}

static void normForward(const void *x, int32_t xType, int64_t xStride, const float *weight, float epsilon, void *y,
                        int32_t yType, int64_t yStride, float *inverseRMS, int64_t rows, int64_t columns) {
    WITH_TYPE(xType, X, WITH_TYPE(yType, Y, normForwardTyped(x, X, xStride, weight, epsilon, y, Y, yStride, inverseRMS,
                                                             rows, columns)));
}

// With u = dy ⊙ w: dx = r·(u − x·r²·mean(u ⊙ x)), dw = Σ dy ⊙ x·r.
INLINE void normBackwardTyped(const void *dy, const int D, int64_t dyStride, const void *x, const int X,
                              int64_t xStride, const float *w, const float *inverseRMS, void *dx, const int G,
                              int64_t dxStride, bool add, float *dw, int64_t rows, int64_t n) {
    REASSOCIATE
    for (int64_t r = 0; r < rows; r++) {
        const void *grad = advanced(dy, r * dyStride, D), *from = advanced(x, r * xStride, X);
        void *to = advanced(dx, r * dxStride, G);
        float inverse = inverseRMS[r], dot = 0;
        for (int64_t i = 0; i < n; i++) {
            float g = load(grad, i, D), value = load(from, i, X);
            dot += g * w[i] * value;
            dw[i] += g * value * inverse;
        }
        float pull = dot / (float)n * inverse * inverse * inverse;
        for (int64_t i = 0; i < n; i += WIDTH) {
            Floats own = loadUpTo(grad, i, n, D) * loadUpTo(w, i, n, MinkeFloat32) * inverse;
            Floats sum = add ? loadUpTo(to, i, n, G) + own : own;
            storeUpTo(to, i, n, G, sum - loadUpTo(from, i, n, X) * pull);
        }
    }
}

static void normBackward(const void *dy, int32_t dyType, int64_t dyStride, const void *x, int32_t xType,
                         int64_t xStride, const float *weight, const float *inverseRMS, void *dx, int32_t dxType,
                         int64_t dxStride, bool add, float *dWeight, int64_t rows, int64_t columns) {
    WITH_TYPE(dyType, D, WITH_TYPE(xType, X, WITH_TYPE(dxType, G, {
        normBackwardTyped(dy, D, dyStride, x, X, xStride, weight, inverseRMS, dx, G, dxStride, add, dWeight, rows,
                          columns);
    })));
}

// SwiGLU: y = silu(gate) ⊙ up, rows are [gate | up].

static void swigluForward(const void *gateUp, int32_t type, int64_t stride, void *y, int64_t yStride, int64_t rows,
                          int64_t width) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++) {
            const void *gate = advanced(gateUp, r * stride, T);
            const void *up = advanced(gate, width, T);
            void *to = advanced(y, r * yStride, T);
            for (int64_t i = 0; i < width; i += WIDTH) {
                Floats g = loadUpTo(gate, i, width, T);
                storeUpTo(to, i, width, T, g * logistics(g) * loadUpTo(up, i, width, T));
            }
        }
    });
}

// dgate = dy·up·σ(gate)·(1 + gate·(1 − σ(gate))), dup = dy·silu(gate).
static void swigluBackward(const void *gateUp, int32_t type, int64_t stride, const void *dy, int64_t dyStride,
                           void *dGateUp, int64_t dStride, int64_t rows, int64_t width) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++) {
            const void *gate = advanced(gateUp, r * stride, T), *grad = advanced(dy, r * dyStride, T);
            const void *up = advanced(gate, width, T);
            void *dGate = advanced(dGateUp, r * dStride, T);
            void *dUp = advanced(dGate, width, T);
            for (int64_t i = 0; i < width; i += WIDTH) {
                Floats g = loadUpTo(gate, i, width, T), u = loadUpTo(up, i, width, T), d = loadUpTo(grad, i, width, T);
                Floats s = logistics(g);
                storeUpTo(dGate, i, width, T, d * u * s * (1.0f + g * (1.0f - s)));
                storeUpTo(dUp, i, width, T, d * g * s);
            }
        }
    });
}

// Squared ReLU: y = max(0, x)².

static void squaredReLUForward(const void *x, int32_t type, int64_t stride, void *y, int64_t yStride, int64_t rows,
                               int64_t width) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++) {
            const void *from = advanced(x, r * stride, T);
            void *to = advanced(y, r * yStride, T);
            for (int64_t i = 0; i < width; i++) {
                float value = load(from, i, T);
                value = value > 0 ? value : 0;
                store(to, i, T, value * value);
            }
        }
    });
}

// dx = 2·dy·max(0, x).
static void squaredReLUBackward(const void *x, int32_t type, int64_t stride, const void *dy, int64_t dyStride, void *dx,
                                int64_t dStride, int64_t rows, int64_t width) {
    WITH_TYPE(type, T, {
        for (int64_t r = 0; r < rows; r++) {
            const void *from = advanced(x, r * stride, T), *grad = advanced(dy, r * dyStride, T);
            void *to = advanced(dx, r * dStride, T);
            for (int64_t i = 0; i < width; i++) {
                float value = load(from, i, T);
                store(to, i, T, value > 0 ? 2.0f * load(grad, i, T) * value : 0);
            }
        }
    });
}

// Soft capping: z ← c·tanh(z/c), whose derivative 1 − tanh² goes to `slopes` where that is given.

static void softcap(float *z, float cap, float *slopes, int64_t count) {
    float inverse = 2.0f / cap;
    for (int64_t i = 0; i < count; i++) {
        float t = 1.0f - 2.0f / (1.0f + exponential(z[i] * inverse));
        z[i] = cap * t;
        if (slopes) slopes[i] = 1.0f - t * t;
    }
}

static void multiply(void *x, int32_t type, const float *factors, int64_t count) {
    WITH_TYPE(type, T, {
        for (int64_t i = 0; i < count; i++) store(x, i, T, load(x, i, T) * factors[i]);
    });
}

// x += row·scale
static void addScaled(void *x, int32_t type, const float *row, float scale, int64_t count) {
    WITH_TYPE(type, T, {
        for (int64_t i = 0; i < count; i++) store(x, i, T, load(x, i, T) + row[i] * scale);
    });
}

// Rotary position embedding: pair i turns by position·θᵢ. Pairs are neighbours (2i, 2i+1) or halves (i, i + width/2).

INLINE void rotateTyped(void *x, const int T, int64_t stride, const int32_t *positions, const float *cosines,
                        const float *sines, int64_t heads, int64_t headStride, int64_t width, bool interleaved,
                        float direction, int64_t rows) {
    int64_t half = width / 2;
    for (int64_t r = 0; r < rows; r++) {
        const float *c = cosines + positions[r] * half, *s = sines + positions[r] * half;
        for (int64_t h = 0; h < heads; h++) {
            void *at = advanced(x, r * stride + h * headStride, T);
            if (interleaved)
                for (int64_t i = 0; i < half; i++) {
                    float a = load(at, 2 * i, T), b = load(at, 2 * i + 1, T), sine = direction * s[i];
                    store(at, 2 * i, T, a * c[i] - b * sine);
                    store(at, 2 * i + 1, T, a * sine + b * c[i]);
                }
            else
                for (int64_t i = 0; i < half; i++) {
                    float a = load(at, i, T), b = load(at, i + half, T), sine = direction * s[i];
                    store(at, i, T, a * c[i] - b * sine);
                    store(at, i + half, T, a * sine + b * c[i]);
                }
        }
    }
}

static void rotate(void *x, int32_t type, int64_t stride, const int32_t *positions, const float *cosines,
                   const float *sines, int64_t heads, int64_t headStride, int64_t width, bool interleaved,
                   float direction, int64_t rows) {
    WITH_TYPE(type, T, rotateTyped(x, T, stride, positions, cosines, sines, heads, headStride, width, interleaved,
                                   direction, rows));
}

// Cross-entropy: loss = log Σ exp(z) − z[target], dz = (softmax(z) − onehot)·gradientScale. A negative target is ignored.

static void crossEntropy(float *logits, int64_t stride, const int32_t *targets, float *losses, void *dLogits,
                         int32_t dType, int64_t dStride, float gradientScale, int64_t rows, int64_t columns) {
    REASSOCIATE
    for (int64_t r = 0; r < rows; r++) {
        float *z = logits + r * stride;
        float top = greatestOf(z, columns, -INFINITY);
        bool ignored = targets[r] < 0;
        float wanted = ignored ? 0 : z[targets[r]];
        Floats sums = {0};
        for (int64_t i = 0; i < columns; i += WIDTH) {
            Floats e = firstOf(exponentials(loadUpTo(z, i, columns, MinkeFloat32) - top), columns - i);
            storeUpTo(z, i, columns, MinkeFloat32, e);
            sums = sums + e;
        }
        float sum = sumOf(sums);
        losses[r] = ignored ? 0 : logf(sum) + top - wanted;
        if (!dLogits) continue;
        float factor = ignored ? 0 : gradientScale / sum;
        // dLogits may be the logits' own memory: what the target needs is read before it is overwritten.
        float atTarget = ignored ? 0 : z[targets[r]] * factor - gradientScale;
        void *to = advanced(dLogits, r * dStride, dType);
        WITH_TYPE(dType, T, {
            for (int64_t i = 0; i < columns; i += WIDTH)
                storeUpTo(to, i, columns, T, loadUpTo(z, i, columns, MinkeFloat32) * factor);
            if (!ignored) store(to, targets[r], T, atTarget);
        });
    }
}
