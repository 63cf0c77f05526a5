import Synchronization

/// A grammar ready to run beside a vocabulary: which tokens may come next, for every place in a text.
///
/// A place is a set of stacks, because what was read can mean several things. Places and the ways between them are made
/// when they are first needed and kept, as are the masks of tokens, so that what recurs (the inside of a string) costs a
/// look-up. Shared by all texts under one grammar.
final class ConstraintAutomaton: Sendable {
    /// A state, and the stack of calls below it.
    struct Item: Hashable {
        let state: Grammar.State
        let frame: Int32
    }

    /// Where a text stands.
    struct Place {
        /// The items, which stay meaningful when the tables are emptied.
        fileprivate(set) var items: [Item]
        fileprivate(set) var isAccepted: Bool
        fileprivate var index: Int32
        fileprivate var generation: Int

        /// Whether more can follow.
        var canContinue: Bool { !items.isEmpty }
    }

    /// How many calls may be open at once, and so how deep documents nest.
    static let maximumDepth = 96

    private static let maximumConfigurations = 20_000
    private static let maximumMasks = 512

    let trie: TokenTrie
    private let grammar: Grammar
    private let analysis: GrammarAnalysis
    /// Control tokens of the grammar; their symbols follow the classes of bytes.
    private let controls: [Int32]
    private let symbolCount: Int
    private let tables: Mutex<Tables>

    /// - Throws: ``InputError`` as ``GrammarAnalysis/init(_:root:)``.
    init(_ grammar: Grammar, root: Grammar.Rule, trie: TokenTrie) throws {
        self.grammar = grammar
        self.trie = trie
        analysis = try GrammarAnalysis(grammar, root: root)
        var controls: Set<Int32> = []
        for case .control(let token, _) in grammar.edges.joined() { controls.insert(token) }
        self.controls = controls.sorted()
        symbolCount = analysis.representatives.count + controls.count
        self.root = root
        tables = Mutex(Tables())
    }

    private let root: Grammar.Rule

    private struct Frame: Hashable {
        let target: Grammar.State
        let parent: Int32
    }

    private struct Configuration: Hashable {
        let items: [Item]
        let isAccepted: Bool
    }

    private struct Tables {
        /// Frame 0 is the bottom.
        var frames = [Frame(target: -1, parent: -1)]
        var depths: [Int32] = [0]
        var frameIndices: [Frame: Int32] = [:]
        var configurations: [Configuration] = []
        var indices: [Configuration: Int32] = [:]
        /// By configuration and symbol: the configuration behind it, -1 for none, -2 where it is not known yet.
        var transitions: [Int32] = []
        var masks: [Int32: [UInt64]] = [:]
        /// How often the tables were emptied.
        var generation = 0
    }

    // MARK: Places

    /// The place before the first byte.
    func start() -> Place {
        tables.withLock { tables in
            let seed = Item(state: grammar.start(of: root), frame: 0)
            return place(of: intern(closure([seed], &tables), &tables), tables)
        }
    }

    /// The place behind a token, or nil where it may not come.
    func place(after token: Int32, at place: Place) -> Place? {
        tables.withLock { tables in
            var index = current(place, &tables)
            if let control = controls.firstIndex(of: token) {
                index = step(index, analysis.representatives.count + control, &tables)
            } else if trie.addedTokens.contains(token) {
                return nil
            } else {
                let bytes = trie.tokenizer.decodeBytes(CollectionOfOne(token))
                if bytes.isEmpty { return nil }
                for byte in bytes where index >= 0 {
                    index = step(index, Int(analysis.classes[Int(byte)]), &tables)
                }
            }
            return index < 0 ? nil : self.place(of: index, tables)
        }
    }

    /// Calls `body` with a bit for every token, set where it may come.
    func withMask(at place: Place, _ body: ([UInt64]) -> Void) {
        tables.withLock { tables in
            let index = current(place, &tables)
            if tables.masks[index] == nil {
                if tables.masks.count >= Self.maximumMasks { tables.masks = [:] }
                tables.masks[index] = mask(index, &tables)
            }
            if let mask = tables.masks[index] { body(mask) }
        }
    }

    private func place(of index: Int32, _ tables: borrowing Tables) -> Place {
        let configuration = tables.configurations[Int(index)]
        return Place(
            items: configuration.items, isAccepted: configuration.isAccepted, index: index,
            generation: tables.generation)
    }

    /// The index of a place in the tables, which may have been emptied since, or are now because they are full.
    private func current(_ place: Place, _ tables: inout Tables) -> Int32 {
        if tables.configurations.count > Self.maximumConfigurations {
            tables.configurations = []
            tables.indices = [:]
            tables.transitions = []
            tables.masks = [:]
            tables.generation += 1
        }
        if place.generation == tables.generation { return place.index }
        return intern(Configuration(items: place.items, isAccepted: place.isAccepted), &tables)
    }

    // MARK: Steps

    private func step(_ index: Int32, _ symbol: Int, _ tables: inout Tables) -> Int32 {
        let slot = Int(index) * symbolCount + symbol
        let known = tables.transitions[slot]
        if known != -2 { return known }
        var seeds: [Item] = []
        let byteClasses = analysis.representatives.count
        for item in tables.configurations[Int(index)].items {
            for edge in grammar.edges[Int(item.state)] {
                switch edge {
                case .bytes(let range, let target)
                where symbol < byteClasses && range.contains(analysis.representatives[symbol]):
                    seeds.append(Item(state: target, frame: item.frame))
                case .control(let token, let target)
                where symbol >= byteClasses && token == controls[symbol - byteClasses]:
                    seeds.append(Item(state: target, frame: item.frame))
                default: break
                }
            }
        }
        let configuration = closure(seeds, &tables)
        let target =
            configuration.items.isEmpty && !configuration.isAccepted ? -1 : intern(configuration, &tables)
        tables.transitions[slot] = target
        return target
    }

    /// What is reached without a symbol: calls made, ended rules left. Keeps items that take a symbol.
    private func closure(_ seeds: [Item], _ tables: inout Tables) -> Configuration {
        var seen: Set<Item> = []
        var queue: [Item] = []
        var kept: [Item] = []
        var isAccepted = false
        func visit(_ item: Item, _ tables: inout Tables) {
            // From every item kept the end can be reached within the depth.
            guard analysis.needs[Int(item.state)] + tables.depths[Int(item.frame)] <= Self.maximumDepth else { return }
            if seen.insert(item).inserted { queue.append(item) }
        }
        for seed in seeds { visit(seed, &tables) }
        while let item = queue.popLast() {
            if grammar.ruleEnded[Int(item.state)] >= 0 {
                if item.frame == 0 {
                    isAccepted = true
                } else {
                    let frame = tables.frames[Int(item.frame)]
                    visit(Item(state: frame.target, frame: frame.parent), &tables)
                }
            }
            var takesSymbol = false
            for edge in grammar.edges[Int(item.state)] {
                switch edge {
                case .bytes, .control: takesSymbol = true
                case .empty(let target): visit(Item(state: target, frame: item.frame), &tables)
                case .call(let rule, let target):
                    // The rest of this rule must be possible too.
                    let depth = tables.depths[Int(item.frame)]
                    guard analysis.needs[Int(target)] + depth <= Self.maximumDepth else { continue }
                    let start = grammar.start(of: rule)
                    guard analysis.needs[Int(start)] + depth + 1 <= Self.maximumDepth else { continue }
                    visit(
                        Item(state: start, frame: frame(Frame(target: target, parent: item.frame), &tables)), &tables)
                }
            }
            if takesSymbol { kept.append(item) }
        }
        kept.sort { ($0.state, $0.frame) < ($1.state, $1.frame) }
        return Configuration(items: kept, isAccepted: isAccepted)
    }

    private func frame(_ frame: Frame, _ tables: inout Tables) -> Int32 {
        if let index = tables.frameIndices[frame] { return index }
        let index = Int32(tables.frames.count)
        tables.frames.append(frame)
        tables.depths.append(tables.depths[Int(frame.parent)] + 1)
        tables.frameIndices[frame] = index
        return index
    }

    private func intern(_ configuration: Configuration, _ tables: inout Tables) -> Int32 {
        if let index = tables.indices[configuration] { return index }
        let index = Int32(tables.configurations.count)
        tables.configurations.append(configuration)
        tables.indices[configuration] = index
        tables.transitions.append(contentsOf: repeatElement(-2, count: symbolCount))
        return index
    }

    // MARK: Masks

    /// A bit for every token, by one pass over the vocabulary that leaves out what follows a forbidden byte.
    private func mask(_ start: Int32, _ tables: inout Tables) -> [UInt64] {
        var mask = [UInt64](repeating: 0, count: (trie.tokenizer.vocabularySize + 63) / 64)
        let classes = analysis.classes
        var path = [Int32](repeating: start, count: trie.maximumLength + 1)
        trie.nodes.withUnsafeBufferPointer { nodes in
            var place = 0
            while place < nodes.count {
                let node = nodes[place]
                let depth = Int(node.depth)
                let symbol = Int(classes[Int(node.byte)])
                var target = tables.transitions[Int(path[depth]) * symbolCount + symbol]
                if target == -2 { target = step(path[depth], symbol, &tables) }
                if target < 0 {
                    place = Int(node.end)
                    continue
                }
                path[depth + 1] = target
                if node.token >= 0 { mask[Int(node.token) >> 6] |= 1 << UInt64(node.token & 63) }
                place += 1
            }
        }
        for (index, token) in controls.enumerated()
        where step(start, analysis.representatives.count + index, &tables) >= 0 {
            mask[Int(token) >> 6] |= 1 << UInt64(token & 63)
        }
        return mask
    }
}
