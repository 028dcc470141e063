/// Strings that several patterns allow, with a bounded length: the product of their automata, one rule for each state.
struct StringIntersection {
    typealias Part = GrammarBuilder.Part

    /// Maximum number of states. Strings that need more states are left out.
    private static let mostStates = 4_096

    private struct State: Hashable {
        /// Of each automaton.
        var states: [GrammarAutomaton.State]
        /// The number of characters so far, limited to the values that matter.
        var count = 0
        /// 0: between characters, or inside a UTF-8 sequence; 1: after a backslash; 2 to 5: before hexadecimal digits.
        var phase: UInt8 = 0
    }

    private var automata: [GrammarAutomaton]
    private let patterns: [StringPattern]
    private let least: Int
    private let most: Int?
    /// Bytes that no automaton distinguishes and that count in the same way.
    private let classes: [[UInt8]]

    /// - Throws: `GrammarError` that names the pattern.
    static func part(
        _ patterns: [StringPattern], least: Int, most: Int?, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        var automata: [GrammarAutomaton] = []
        var kept: [StringPattern] = []
        var any = GrammarBuilder()
        let character = try any.rule(JSONGrammar.write(.all))
        automata.append(GrammarAutomaton(try any.finish(root: .times(character, least: 0, most: nil))))
        for pattern in patterns {
            var names = GrammarBuilder()
            let part = try pattern.part(&names)
            let grammar: Grammar
            do throws(GrammarError) {
                grammar = try names.finish(root: part)
            } catch {
                guard error.kind == .allowsNothing else { throw error }
                if pattern.isNegated { continue }
                builder.noteEmpty(pattern.path.error("matches nothing"))
                return .choice([])
            }
            try builder.visit(1 + grammar.elements.count / 16)
            automata.append(GrammarAutomaton(grammar))
            kept.append(pattern)
        }
        var product = StringIntersection(automata, kept, least, most)
        return try product.part(&builder)
    }

    private init(_ automata: [GrammarAutomaton], _ patterns: [StringPattern], _ least: Int, _ most: Int?) {
        (self.automata, self.patterns, self.least, self.most) = (automata, patterns, least, most)
        var byKey: [[UInt8]: Int] = [:]
        var classes: [[UInt8]] = []
        for byte in UInt8.min...UInt8.max {
            let kind: UInt8 =
                byte == UInt8(ascii: "\\") ? 1 : byte == UInt8(ascii: "u") ? 2 : (0x80..<0xC0).contains(byte) ? 3 : 0
            let key = [kind] + automata.map { $0.classes.ofByte[Int(byte)] }
            if let index = byKey[key] {
                classes[index].append(byte)
            } else {
                byKey[key] = classes.count
                classes.append([byte])
            }
        }
        self.classes = classes
    }

    private var path: SchemaPath { patterns.first?.path ?? .root }

    private mutating func part(_ builder: inout GrammarBuilder) throws(GrammarError) -> Part {
        var start = State(states: [])
        for index in automata.indices {
            do throws(GrammarLimit) { start.states.append(try automata[index].start()) } catch {
                throw path.error(error.description)
            }
        }
        var states = [start]
        var numbers = [start: 0]
        var rules = [builder.declare()]
        var (isCut, accepts) = (false, false)
        var index = 0
        while index < states.count {
            let state = states[index]
            try builder.visit(2 + classes.count / 8)
            var targets: [Int: ByteSet] = [:]
            for bytes in classes {
                guard let next = try next(state, bytes[0]) else { continue }
                let number: Int
                if let known = numbers[next] {
                    number = known
                } else {
                    guard states.count < Self.mostStates else {
                        isCut = true
                        continue
                    }
                    number = states.count
                    numbers[next] = number
                    states.append(next)
                    rules.append(builder.declare())
                }
                var set = targets[number] ?? ByteSet()
                for byte in bytes { set.insert(byte) }
                targets[number] = set
            }
            var choices: [Part] = isAccepting(state) ? [.nothing] : []
            if !choices.isEmpty { accepts = true }
            for (number, set) in targets.sorted(by: { $0.key < $1.key }) {
                choices.append(.sequence([.bytes(set), .rule(rules[number])]))
            }
            try builder.define(rules[index], .choice(choices))
            index += 1
        }
        if !accepts {
            guard !isCut else { throw path.error("is too complex together with the other bounds of the string") }
            builder.noteEmpty(path.error("allows nothing together with the other bounds of the string"))
        }
        return .rule(rules[0])
    }

    private func isAccepting(_ state: State) -> Bool {
        guard state.phase == 0, state.count >= least, automata[0].accepts(state.states[0]) else { return false }
        return patterns.indices.allSatisfy { index in
            automata[index + 1].accepts(state.states[index + 1]) != patterns[index].isNegated
        }
    }

    /// `nil`: no allowed string begins this way.
    private mutating func next(_ state: State, _ byte: UInt8) throws(GrammarError) -> State? {
        var next = state
        for index in automata.indices {
            let isNegated = index > 0 && patterns[index - 1].isNegated
            // A negated pattern that no longer matches will never match.
            if state.states[index] == GrammarAutomaton.dead { continue }
            do throws(GrammarLimit) {
                next.states[index] = try automata[index].step(state.states[index], byte).next
            } catch {
                throw path.error(error.description)
            }
            if next.states[index] == GrammarAutomaton.dead, !isNegated { return nil }
        }
        let isBounded = least > 0 || most != nil
        guard isBounded else { return next }
        switch (state.phase, byte) {
        case (0, 0x80..<0xC0): break
        case (0, UInt8(ascii: "\\")): (next.phase, next.count) = (1, next.count + 1)
        case (0, _): next.count += 1
        case (1, UInt8(ascii: "u")): next.phase = 2
        case (2...4, _): next.phase += 1
        default: next.phase = 0
        }
        if let most, next.count > most { return nil }
        if most == nil { next.count = min(next.count, least) }
        return next
    }
}
