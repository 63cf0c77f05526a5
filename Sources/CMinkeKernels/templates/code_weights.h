// Weights as codes: blocks of 128 × 128 share a scale, so that both orders of a weight are made of the same codes.

static void quantizeCodeWeight(const float *w, int64_t stride, int64_t k, int32_t width, void *codes,
                               int64_t codeStride, float *scales, int64_t row0, int64_t row1) {
    int64_t blocks = minkeCodeBlocks(k);
    WITH_CODES(width, W, {
        for (int64_t first = row0; first < row1; first += MinkeCodeBlock)
            for (int64_t block = 0; block < blocks; block++) {
                int64_t at = block * MinkeCodeBlock, end = at + MinkeCodeBlock < k ? at + MinkeCodeBlock : k;
                int64_t last = first + MinkeCodeBlock < row1 ? first + MinkeCodeBlock : row1;
                uint32_t top = 0;
                for (int64_t row = first; row < last; row++)
                    for (int64_t i = at; i < end; i++) {
                        uint32_t size = magnitudeBits(w + row * stride, i, MinkeFloat32);
                        top = size > top ? size : top;
                    }
                float largest = floatOfBits(top), factor = codeFactor(W, largest);
                for (int64_t row = first; row < last; row++) {
                    const float *from = w + row * stride;
                    char *to = (char *)codes + row * codeStride;
                    if (W == MinkeCodes8)
                        for (int64_t i = at; i < end; i++) ((int8_t *)to)[i] = (int8_t)codeBits(from[i], factor);
                    else
                        for (int64_t i = at; i < end; i++) ((int16_t *)to)[i] = (int16_t)codeBits(from[i], factor);
                    for (int64_t i = end * W; i % 4; i++) to[i] = 0;
                }
                scales[first / MinkeCodeBlock * blocks + block] = largest / codeLimit(W);
            }
    });
}

/// What follows the words of a block: what A's offset adds to each sum, to be taken off, and the columns' scale.
INLINE void finishCodeBlock(char *block, const int width, int64_t words, float scale) {
    int32_t sums[MinkePanelWidth] = {0};
    float scales[MinkePanelWidth];
    if (width == MinkeCodes8)
        for (int64_t word = 0; word < words; word++) {
            const int8_t *from = (const int8_t *)block + word * MinkePanelWidth * 4;
            for (int c = 0; c < MinkePanelWidth; c++)
                sums[c] -= 128 * (from[4 * c] + from[4 * c + 1] + from[4 * c + 2] + from[4 * c + 3]);
        }
    for (int c = 0; c < MinkePanelWidth; c++) scales[c] = scale;
    memcpy(block + words * MinkePanelWidth * 4, sums, sizeof sums);
    memcpy(block + words * MinkePanelWidth * 4 + sizeof sums, scales, sizeof scales);
}

/// Words of rows, 32 rows side by side.
static void packCodeTransposed(const void *codes, int64_t codeStride, const float *scales, int64_t n, int64_t k,
                               int32_t width, void *panels, int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeCodePanelBytes(k, width), blocks = minkeCodeBlocks(k);
    for (int64_t panel = panel0; panel < panel1; panel++)
        for (int64_t block = 0; block < blocks; block++) {
            char *to = (char *)panels + panel * bytes + block * codeBlockBytes(width);
            const char *from = (const char *)codes + block * MinkeCodeBlock * width;
            int64_t first = panel * MinkePanelWidth, words = codeWords(width, k - block * MinkeCodeBlock), done = 0;
#if WIDTH == 16
            if (first + MinkePanelWidth <= n)
                for (; done + 16 <= words; done += 16)
                    for (int side = 0; side < 32; side += 16) {
                        Words rows[16];
                        for (int j = 0; j < 16; j++)
                            rows[j] = *(const Words *)(from + (first + side + j) * codeStride + done * 4);
                        transpose16(rows);
                        for (int j = 0; j < 16; j++) *(Words *)(to + (done + j) * MinkePanelWidth * 4 + side * 4) = rows[j];
                    }
#endif
            for (int64_t c = 0; c < MinkePanelWidth; c++)
                for (int64_t word = done; word < words; word++) {
                    uint32_t value = 0;
                    if (first + c < n) memcpy(&value, from + (first + c) * codeStride + word * 4, 4);
                    memcpy(to + (word * MinkePanelWidth + c) * 4, &value, 4);
                }
            finishCodeBlock(to, width, words, scales[first / MinkeCodeBlock * blocks + block]);
        }
}

/// Words across rows: four codes of 8 bits or two of 13 from rows that follow each other.
static void packCodeDirect(const void *codes, int64_t codeStride, const float *scales, int64_t n, int64_t k,
                           int32_t width, void *panels, int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeCodePanelBytes(n, width), blocks = minkeCodeBlocks(k);
    WITH_CODES(width, W, {
        for (int64_t panel = panel0; panel < panel1; panel++)
            for (int64_t row = 0; row < n; row += MinkeCodeBlock) {
                char *to = (char *)panels + panel * bytes + row / MinkeCodeBlock * codeBlockBytes(W);
                int64_t column = panel * MinkePanelWidth, present = k - column < MinkePanelWidth ? k - column : MinkePanelWidth;
                int64_t last = row + MinkeCodeBlock < n ? row + MinkeCodeBlock : n, words = codeWords(W, last - row);
                for (int64_t word = 0; word < words; word++) {
                    uint16_t rows[4][MinkePanelWidth] = {{0}};
                    uint32_t out[MinkePanelWidth];
                    for (int64_t j = 0; j < 4 / W && row + 4 / W * word + j < last; j++) {
                        const char *from = (const char *)codes + (row + 4 / W * word + j) * codeStride + column * W;
                        if (W == MinkeCodes8)
                            for (int64_t c = 0; c < present; c++) rows[j][c] = (uint8_t)from[c];
                        else
                            memcpy(rows[j], from, (size_t)present * 2);
                    }
                    for (int c = 0; c < MinkePanelWidth; c++)
                        out[c] = W == MinkeCodes8 ? (uint32_t)rows[0][c] | (uint32_t)rows[1][c] << 8 |
                                                        (uint32_t)rows[2][c] << 16 | (uint32_t)rows[3][c] << 24
                                                  : (uint32_t)rows[0][c] | (uint32_t)rows[1][c] << 16;
                    memcpy(to + word * MinkePanelWidth * 4, out, sizeof out);
                }
                finishCodeBlock(to, W, words, scales[row / MinkeCodeBlock * blocks + column / MinkeCodeBlock]);
            }
    });
}
