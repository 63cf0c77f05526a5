// Parameter updates.

INLINE void adamWOf(float *w, const float *g, void *m, void *v, const int moments, const MinkeAdamW *p, int64_t count) {
    float keep = 1.0f - p->rate * p->decay, rate = p->rate / p->correction1;
    float inverse2 = 1.0f / p->correction2, left1 = 1.0f - p->beta1, left2 = 1.0f - p->beta2;
    float beta1 = p->beta1, beta2 = p->beta2, epsilon = p->epsilon, factor = p->gradientScale;
    // Vectors: the compiler would not take roots in a loop, which may set errno.
    for (int64_t i = 0; i < count; i += WIDTH) {
        Floats grad = loadUpTo(g, i, count, MinkeFloat32) * factor;
        Floats first = beta1 * loadUpTo(m, i, count, moments) + left1 * grad;
        Floats second = beta2 * loadUpTo(v, i, count, moments) + left2 * grad * grad;
        storeUpTo(m, i, count, moments, first);
        storeUpTo(v, i, count, moments, second);
        Floats step = rate * first / (__builtin_elementwise_sqrt(second * inverse2) + epsilon);
        storeUpTo(w, i, count, MinkeFloat32, loadUpTo(w, i, count, MinkeFloat32) * keep - step);
    }
}

static void adamW(float *w, const float *g, void *m, void *v, int32_t moments, const MinkeAdamW *p, int64_t count) {
    WITH_TYPE(moments, T, adamWOf(w, g, m, v, T, p, count));
}

static void nesterov(float *b, const float *g, float *d, float momentum, float gradientScale, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float grad = g[i] * gradientScale, next = momentum * b[i] + grad;
        b[i] = next;
        d[i] = grad + momentum * next;
    }
}
