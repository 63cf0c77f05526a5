// The router of DeepSeekMoE and the movement of tokens to experts and back (DeepSeek-V3 report, 2.1.2).

enum { MaximumExperts = 1024 };

/// Indices of the `count` largest values, ties to the lower index, in descending order.
INLINE void selectTop(const float *values, int64_t n, int64_t count, int32_t *chosen) {
    for (int64_t j = 0; j < count; j++) chosen[j] = -1;
    for (int64_t i = 0; i < n; i++) {
        float value = values[i];
        int64_t j = count;
        while (j > 0 && (chosen[j - 1] < 0 || value > values[chosen[j - 1]])) j--;
        if (j == count) continue;
        for (int64_t k = count - 1; k > j; k--) chosen[k] = chosen[k - 1];
        chosen[j] = (int32_t)i;
    }
}

/// Masks with minus infinity every group but the `topGroups` best.
static void limitGroups(const MinkeRouting *r, float *choice) {
    float groupScores[MaximumExperts];
    int32_t kept[MaximumExperts];
    bool isKept[MaximumExperts] = {false};
    int64_t size = r->experts / r->groups;
    for (int64_t g = 0; g < r->groups; g++) {
        float best = -INFINITY, second = -INFINITY;
        for (int64_t i = 0; i < size; i++) {
            float value = choice[g * size + i];
            if (value > best) {
                second = best;
                best = value;
            } else if (value > second) {
                second = value;
            }
        }
        groupScores[g] = r->groupByTopTwo && size > 1 ? best + second : best;
    }
    selectTop(groupScores, r->groups, r->topGroups, kept);
    for (int64_t j = 0; j < r->topGroups; j++) isKept[kept[j]] = true;
    for (int64_t g = 0; g < r->groups; g++)
        if (!isKept[g])
            for (int64_t i = 0; i < size; i++) choice[g * size + i] = -INFINITY;
}

static void route(const MinkeRouting *r, const float *logits, const float *bias, float *scores, int32_t *experts,
                  float *weights, int64_t rows) {
    REASSOCIATE
    float choice[MaximumExperts];
    for (int64_t t = 0; t < rows; t++) {
        const float *z = logits + t * r->experts;
        float *s = scores + t * r->experts;
        if (r->sigmoid) {
            for (int64_t i = 0; i < r->experts; i++) s[i] = logistic(z[i]);
        } else {
            float top = z[0], sum = 0;
            for (int64_t i = 1; i < r->experts; i++) top = z[i] > top ? z[i] : top;
            for (int64_t i = 0; i < r->experts; i++) {
                s[i] = exponential(z[i] - top);
                sum += s[i];
            }
            for (int64_t i = 0; i < r->experts; i++) s[i] /= sum;
        }
        // The bias steers the choice only; the weights are the scores themselves.
        for (int64_t i = 0; i < r->experts; i++) choice[i] = s[i] + (bias ? bias[i] : 0);
        if (r->groups > 1) limitGroups(r, choice);
        int32_t *chosen = experts + t * r->topK;
        float *w = weights + t * r->topK, sum = 0;
        selectTop(choice, r->experts, r->topK, chosen);
        for (int64_t j = 0; j < r->topK; j++) sum += w[j] = s[chosen[j]];
        float factor = r->normalize ? r->scale / (sum + 1e-20f) : r->scale;
        for (int64_t j = 0; j < r->topK; j++) w[j] *= factor;
    }
}

/// `balance` (optional) is ∂L/∂p per expert of the sequence-wise balance loss, p the scores divided by their sum.
static void routeBackward(const MinkeRouting *r, const float *scores, const int32_t *experts, const float *weights,
                          const float *dWeights, const float *balance, float *dLogits, int64_t rows) {
    REASSOCIATE
    for (int64_t t = 0; t < rows; t++) {
        const float *s = scores + t * r->experts;
        float *d = dLogits + t * r->experts;
        const int32_t *chosen = experts + t * r->topK;
        const float *w = weights + t * r->topK, *g = dWeights + t * r->topK;
        float total = 0, pull = 0;
        for (int64_t i = 0; i < r->experts; i++) total += s[i];
        for (int64_t i = 0; i < r->experts; i++) pull += balance ? balance[i] * s[i] : 0;
        for (int64_t i = 0; i < r->experts; i++) d[i] = balance ? (balance[i] - pull / total) / total : 0;
        float sum = 0, mixed = 0;
        for (int64_t j = 0; j < r->topK; j++) {
            sum += s[chosen[j]];
            mixed += w[j] * g[j];
        }
        for (int64_t j = 0; j < r->topK; j++)
            d[chosen[j]] += r->normalize ? (r->scale * g[j] - mixed) / (sum + 1e-20f) : r->scale * g[j];
        if (r->sigmoid) {
            for (int64_t i = 0; i < r->experts; i++) d[i] *= s[i] * (1.0f - s[i]);
        } else {
            float mean = 0;
            for (int64_t i = 0; i < r->experts; i++) mean += s[i] * d[i];
            for (int64_t i = 0; i < r->experts; i++) d[i] = s[i] * (d[i] - mean);
        }
    }
}

static void combineForward(const void *y, int32_t type, const int32_t *slots, const float *weights, int64_t topK,
                           const float *base, float *out, int64_t columns, int64_t row0, int64_t row1) {
    WITH_TYPE(type, T, {
        for (int64_t t = row0; t < row1; t++) {
            float *to = out + t * columns;
            const float *from = base + t * columns;
            for (int64_t j = 0; j < topK; j++) {
                const void *row = advanced(y, slots[t * topK + j] * columns, T);
                float w = weights[t * topK + j];
                // Vectors: sums are read from where they are written, which the compiler would do one by one.
                for (int64_t i = 0; i < columns; i += WIDTH) {
                    Floats sum = loadUpTo(from, i, columns, MinkeFloat32) + w * loadUpTo(row, i, columns, T);
                    storeUpTo(to, i, columns, MinkeFloat32, sum);
                }
                from = to;
            }
        }
    });
}

static void combineBackward(const float *dOut, const void *y, int32_t type, const int32_t *slots, const float *weights,
                            int64_t topK, void *dy, float *dWeights, int64_t columns, int64_t row0, int64_t row1) {
    REASSOCIATE
    WITH_TYPE(type, T, {
        for (int64_t t = row0; t < row1; t++) {
            const float *d = dOut + t * columns;
            for (int64_t j = 0; j < topK; j++) {
                int64_t slot = slots[t * topK + j];
                const void *row = advanced(y, slot * columns, T);
                void *to = advanced(dy, slot * columns, T);
                float w = weights[t * topK + j];
                Floats dots = {0};
                for (int64_t i = 0; i < columns; i += WIDTH) {
                    Floats grad = loadUpTo(d, i, columns, MinkeFloat32);
                    dots = dots + grad * loadUpTo(row, i, columns, T);
                    storeUpTo(to, i, columns, T, w * grad);
                }
                dWeights[t * topK + j] = sumOf(dots);
            }
        }
    });
}

static void gatherSum(const void *d, int32_t type, const int32_t *slots, int64_t topK, void *dx, int32_t xType,
                      bool add, int64_t columns, int64_t row0, int64_t row1) {
    enum { Chunk = 256 };
    WITH_TYPE(type, T, WITH_TYPE(xType, X, {
        for (int64_t t = row0; t < row1; t++)
            for (int64_t start = 0; start < columns; start += Chunk) {
                int64_t n = start + Chunk < columns ? Chunk : columns - start;
                float sums[Chunk];
                void *to = advanced(dx, t * columns + start, X);
                for (int64_t i = 0; i < n; i++) sums[i] = add ? load(to, i, X) : 0;
                for (int64_t j = 0; j < topK; j++) {
                    const void *row = advanced(d, slots[t * topK + j] * columns + start, T);
                    for (int64_t i = 0; i < n; i++) sums[i] += load(row, i, T);
                }
                for (int64_t i = 0; i < n; i++) store(to, i, X, sums[i]);
            }
    }));
}
