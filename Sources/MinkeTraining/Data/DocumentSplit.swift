import MinkeFiles
import MinkeTensors

/// How the text of a corpus is divided between training and validation.
///
/// Nothing is drawn at random: the same corpus and fraction give the same split on every machine.
public enum DocumentSplit: Equatable, Sendable {
    /// The validation text comes from paths of its own; all of the corpus is for training.
    case separate
    /// A document is for validation when a hash of its name and line is below the fraction.
    ///
    /// Used for a corpus of at least ``DocumentSplit/manyDocuments`` documents, some of which fall on either side.
    case documents(fraction: Double)
    /// The end of every document is for validation: of n bytes the first ⌊(1 - fraction) · n⌋ are for training, less
    /// up to three so that no character is cut. Used for a corpus of few documents.
    case ends(fraction: Double)

    /// The number of documents from which whole documents are chosen for validation.
    public static let manyDocuments = 20

    /// The rule for a corpus without validation paths.
    ///
    /// - Parameter fraction: the share of the text that is for validation, at least 0 (none) and less than 1.
    /// - Throws: ``InputError`` for a fraction out of range, or what reading the corpus throws.
    public init(of corpus: Corpus, fraction: Double) throws {
        guard fraction >= 0, fraction < 1 else {
            throw InputError("a validation fraction of \(fraction)", remedy: "give a number from 0 up to, but not, 1")
        }
        self = .ends(fraction: fraction)
        guard fraction > 0, corpus.mayHoldDocuments(atLeast: Self.manyDocuments) else { return }

        struct Decided: Error {}
        var documents = 0
        var validationDocuments = 0
        do {
            try corpus.forEachDocument { document in
                documents += 1
                if Self.isValidation(document, fraction: fraction) { validationDocuments += 1 }
                if documents >= Self.manyDocuments, 1..<documents ~= validationDocuments { throw Decided() }
            }
        } catch is Decided {
            self = .documents(fraction: fraction)
        }
    }

    /// The number of bytes at the start of a document that are for training; the rest is for validation.
    func trainingBytes(of document: Document) -> Int {
        switch self {
        case .separate: document.bytes.count
        case .documents(let fraction):
            Self.isValidation(document, fraction: fraction) ? 0 : document.bytes.count
        case .ends(let fraction):
            document.bytes.characterBoundary(atOrBefore: Int((1 - fraction) * Double(document.bytes.count)))
        }
    }

    private static func isValidation(_ document: Document, fraction: Double) -> Bool {
        let identity = "\(document.name)\u{0}\(document.line ?? 0)"
        return Double(CounterRandom.mixed(CounterRandom.hash(identity.utf8)) >> 11) * 0x1p-53 < fraction
    }

    /// The rule in the manifest of prepared tokens.
    var json: JSON {
        switch self {
        case .separate: ["rule": "separate"]
        case .documents(let fraction): ["rule": "documents", "fraction": .number(fraction)]
        case .ends(let fraction): ["rule": "ends", "fraction": .number(fraction)]
        }
    }
}
