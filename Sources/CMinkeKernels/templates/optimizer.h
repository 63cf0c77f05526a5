// Parameter updates.

INLINE void adamWOf(float *w, const float *g, void *m, void *v, const int moments, const MinkeAdamW *p, int64_t count) {
    float keep = 1.0f - p->rate * p->decay, rate = p->rate / p->correction1;
    float inverse2 = 1.0f / p->correction2, left1 = 1.0f - p->beta1, left2 = 1.0f - p->beta2;
    float beta1 = p->beta1, beta2 = p->beta2, epsilon = p->epsilon, factor = p->gradientScale;
    for (int64_t i = 0; i < count; i++) {
        float grad = g[i] * factor;
        float first = beta1 * load(m, i, moments) + left1 * grad;
        float second = beta2 * load(v, i, moments) + left2 * grad * grad;
        store(m, i, moments, first);
        store(v, i, moments, second);
        w[i] = w[i] * keep - rate * first / (sqrtf(second * inverse2) + epsilon);
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
