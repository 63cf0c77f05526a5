/// A set of Unicode scalars as sorted, disjoint ranges.
///
/// The universe has one member beyond Unicode, ``invalidByte``, which stands for a byte that is not part of valid
/// UTF-8: it belongs to negated classes only.
struct ScalarSet: Hashable {
    private(set) var ranges: [ClosedRange<UInt32>]

    static let invalidByte: UInt32 = 0x110000

    init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.ranges.last, range.lowerBound <= last.upperBound + 1 {
                self.ranges[self.ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                self.ranges.append(range)
            }
        }
    }

    init(_ scalar: Unicode.Scalar) { self.init([scalar.value...scalar.value]) }

    static let empty = ScalarSet([])

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    var complement: ScalarSet {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= Self.invalidByte { gaps.append(next...Self.invalidByte) }
        return ScalarSet(gaps)
    }

    func intersection(_ other: ScalarSet) -> ScalarSet {
        complement.union(other.complement).complement
    }

    /// The set with all scalars that differ from a member only in case. `nil` when the set is too large for that.
    var ignoringCase: ScalarSet? {
        let size = ranges.reduce(0) { $0 + $1.count }
        if size > 256 { return nil }
        var variants = ranges
        // Characters whose capital or small letter is a member: 'ſ' and the Kelvin sign fold to ASCII letters.
        let foldingToASCII: [Unicode.Scalar] = ["\u{17F}", "\u{212A}"]
        for value in ranges.joined() {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let lower = Self.single(scalar.properties.lowercaseMapping) ?? scalar
            let upper = Self.single(scalar.properties.uppercaseMapping) ?? scalar
            for variant in [lower, upper] { variants.append(variant.value...variant.value) }
            for folding in foldingToASCII {
                let folded = [folding.properties.lowercaseMapping, folding.properties.uppercaseMapping].compactMap(
                    Self.single)
                if folded.contains(lower) || folded.contains(upper) { variants.append(folding.value...folding.value) }
            }
        }
        return ScalarSet(variants)
    }

    private static func single(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
    }
}

extension ScalarSet {
    /// White space as `\s` means it (Unicode's White_Space property).
    static let whiteSpace = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
    ])

    /// What belongs to `\w` beside letters, marks, digits and connectors: letters in circles and squares, which are
    /// alphabetic, and the superscripts and fractions of Latin-1, which Oniguruma counts.
    static let otherWordCharacters = ScalarSet([
        0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE, 0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189,
    ])

    /// The Han script (Unicode 16, Scripts.txt); the standard library does not tell scripts.
    static let han = ScalarSet([
        0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029,
        0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D, 0xFA70...0xFAD9, 0x16FE2...0x16FE3,
        0x16FF0...0x16FF1, 0x20000...0x2A6DF, 0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1,
        0x2CEB0...0x2EBE0, 0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
    ])

    /// The set that `\p{name}` means: a general category (`Lu`), a group of them (`L`) or the script `Han`.
    static func property(named name: String) -> ScalarSet? {
        if name == "Han" { return han }
        let members = categoryRuns.filter { $0.name.hasPrefix(name) }
        return name.isEmpty || name.utf8.count > 2 || members.isEmpty ? nil : ScalarSet(members.map(\.range))
    }

    /// Runs of scalars with one general category, from the tables of the standard library.
    private static let categoryRuns: [(name: String, range: ClosedRange<UInt32>)] = {
        var runs: [(name: String, range: ClosedRange<UInt32>)] = []
        var start: UInt32 = 0
        var category: Unicode.GeneralCategory?
        func close(at end: UInt32) {
            if let category, end > start { runs.append((abbreviation(of: category), start...end - 1)) }
        }
        // Planes 4 to 13 are unassigned and planes 15 and 16 private, so they need no look.
        for planes: Range<UInt32> in [0..<0x40000, 0xE0000..<0xF0000] {
            for value in planes {
                let next = Unicode.Scalar(value)?.properties.generalCategory
                if next != category || value == planes.lowerBound {
                    close(at: value == planes.lowerBound && value > 0 ? 0x40000 : value)
                    start = value
                    category = next
                }
            }
        }
        close(at: 0xF0000)
        runs.append(("Cn", 0x40000...0xDFFFF))
        runs.append(("Co", 0xF0000...0x10FFFF))
        return runs
    }()

    private static func abbreviation(of category: Unicode.GeneralCategory) -> String {
        switch category {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}
