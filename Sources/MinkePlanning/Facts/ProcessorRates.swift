import MinkeFiles

/// What a processor reaches in the products and the attention of a model, measured.
///
/// A processor opens stored weights in its ordinary instructions, so that neither its bandwidth nor its arithmetic peak
/// says how fast it multiplies with them; what it does with each type of weights has to be measured.
public struct ProcessorRates: Sendable, Equatable {
    /// Products with weights of one type.
    public struct Product: Sendable, Equatable {
        /// What a pass of the weights reaches with so many rows of activations.
        public struct Point: Sendable, Equatable {
            public let rows: Double
            /// Bytes of weights a second.
            public let bytesPerSecond: Double

            public init(rows: Double, bytesPerSecond: Double) {
                self.rows = rows
                self.bytesPerSecond = bytesPerSecond
            }
        }

        /// As checkpoints name it: `Q4_K`.
        public let type: String
        /// Bits of a weight, scales included.
        public let bits: Double
        /// By rising rows, at least two.
        public let points: [Point]

        /// nil where there are fewer than two points, or one of them is not above zero.
        public init?(type: String, bits: Double, points: [Point]) {
            let sorted = points.sorted { $0.rows < $1.rows }
            guard bits > 0, sorted.count >= 2, sorted.allSatisfy({ $0.rows > 0 && $0.bytesPerSecond > 0 }),
                zip(sorted, sorted.dropFirst()).allSatisfy({ $0.rows < $1.rows })
            else { return nil }
            self.type = type
            self.bits = bits
            self.points = sorted
        }

        /// Seconds for one byte of weights that `rows` rows are multiplied with: straight lines through the points, and
        /// on beyond the last.
        public func secondsPerByte(rows: Double) -> Double {
            let first = points[0]
            guard rows > first.rows else { return 1 / first.bytesPerSecond }
            let end = min(points.count - 1, points.firstIndex { $0.rows >= rows } ?? points.count - 1)
            let (low, high) = (points[end - 1], points[end])
            let (from, to) = (1 / low.bytesPerSecond, 1 / high.bytesPerSecond)
            return max(from + (to - from) * (rows - low.rows) / (high.rows - low.rows), min(from, to))
        }
    }

    /// At least one.
    public let products: [Product]
    /// Operations a second of attention over cached rows.
    public let attention: Double

    /// nil without products, or where the attention's rate is not above zero.
    public init?(products: [Product], attention: Double) {
        guard !products.isEmpty, attention > 0 else { return nil }
        self.products = products
        self.attention = attention
    }

    /// The product of this type of weights, or of the measured type whose bits are nearest.
    public func product(type: String?, bits: Double) -> Product {
        products.first { $0.type == type }
            ?? products.reduce(products[0]) { ($1.bits - bits).magnitude < ($0.bits - bits).magnitude ? $1 : $0 }
    }
}

extension ProcessorRates {
    /// The rates as the keys `products` and `attention_tflops` of a chip.
    public var json: JSON.Object {
        var list = JSON.Object()
        for product in products {
            list[product.type] = [
                "bits": .number(product.bits),
                "rows": .array(product.points.map { .number($0.rows) }),
                "gbs": .array(product.points.map { .number($0.bytesPerSecond / 1e9) }),
            ]
        }
        return ["products": .object(list), "attention_tflops": .number(attention / 1e12)]
    }

    /// The rates of a chip in a file; nil where it has none.
    ///
    /// - Throws: ``InputError`` naming `place` and the key that is wrong.
    init?(_ chip: JSON.Object, at place: String) throws {
        guard let entries = chip["products"], !entries.isNull else { return nil }
        guard let entries = entries.objectValue, let attention = try chip.positive("attention_tflops", at: place) else {
            throw InputError(
                "\"products\" is an object of types of weights, beside \"attention_tflops\"", at: place,
                remedy: "minke bench --machine --json writes both")
        }
        func numbers(_ json: JSON?) -> [Double] { json?.arrayValue?.compactMap(\.doubleValue) ?? [] }
        let products = try entries.map { type, entry in
            let (rows, rates) = (numbers(entry["rows"]), numbers(entry["gbs"]))
            guard rows.count == rates.count, let bits = entry["bits"]?.doubleValue,
                let product = Product(
                    type: type, bits: bits,
                    points: zip(rows, rates).map { .init(rows: $0, bytesPerSecond: $1 * 1e9) })
            else {
                throw InputError(
                    "the product \"\(type.prefix(40))\" needs \"bits\", and as many \"rows\" as \"gbs\" above zero",
                    at: place, remedy: "minke bench --machine --json writes them")
            }
            return product
        }
        guard let rates = Self(products: products, attention: attention * 1e12) else {
            throw InputError("\"products\" is empty", at: place)
        }
        self = rates
    }
}
