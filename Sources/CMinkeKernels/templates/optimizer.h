// Parameter updates.

static void adamW(float *w, const float *g, float *m, float *v, const MinkeAdamW *p, int64_t count) {
    float keep = 1.0f - p->rate * p->decay, rate = p->rate / p->correction1;
    float inverse2 = 1.0f / p->correction2, left1 = 1.0f - p->beta1, left2 = 1.0f - p->beta2;
    float beta1 = p->beta1, beta2 = p->beta2, epsilon = p->epsilon, factor = p->gradientScale;
    for (int64_t i = 0; i < count; i++) {
        float grad = g[i] * factor;
        float first = beta1 * m[i] + left1 * grad;
        float second = beta2 * v[i] + left2 * grad * grad;
        m[i] = first;
        v[i] = second;
        w[i] = w[i] * keep - rate * first / (sqrtf(second * inverse2) + epsilon);
    }
}

static void nesterov(float *b, const float *g, float *d, float momentum, float gradientScale, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float grad = g[i] * gradientScale, next = momentum * b[i] + grad;
        b[i] = next;
        d[i] = grad + momentum * next;
    }
}
