// Different states with equal masks: tokens that stay inside a lexeme do not depend on the stack below it, or on the remaining
// rounds of a repetition that no token can use up.

extension GrammarAutomaton {
    /// How the mask of a state is computed.
    enum MaskPlan: Hashable {
        /// It is the mask of this state.
        case whole(State)
        /// It consists of the tokens that `inside` allows, as if the lexeme were the whole text, and of those that continue
        /// from `behind` at the end of the lexeme. A distinct lexeme has fewer of both; after it, nothing else differs.
        case lexeme(inside: State, behind: State, isDistinct: Bool)
    }

    /// - Parameter longestToken: bytes of the longest token.
    mutating func maskPlan(_ state: State, longestToken: Int) throws(GrammarLimit) -> MaskPlan {
        let stacks = records[Int(state)].stacks
        if let back = commonLexemeReturn(of: stacks),
            let inside = try normalized(stacks, above: back, longestToken)
        {
            begin()
            let isDistinct = back != GrammarFrames.none && frames.records[Int(back)].distinct == back
            if isDistinct {
                work.append(try behindAnyDistinct(frames[back]))
            } else if back != GrammarFrames.none {
                work.append(frames[back])
            }
            let before = steps
            var behind =
                back == GrammarFrames.none ? number(of: Stacks(tops: [], accepts: true)) : try finish(from: before)
            if behind == Self.dead { behind = number(of: Stacks(tops: [], accepts: false)) }
            return .lexeme(inside: inside, behind: behind, isDistinct: isDistinct)
        }
        return .whole(try normalized(stacks, above: GrammarFrames.none, longestToken) ?? state)
    }

    /// The return position of the lexeme that all stacks are in; `nil` if there is none.
    private func commonLexemeReturn(of stacks: Stacks) -> Int32? {
        guard !stacks.accepts, let first = stacks.tops.first, let back = frames.records[Int(first)].lexemeReturn,
            stacks.tops.allSatisfy({ frames.records[Int($0)].lexemeReturn == back })
        else { return nil }
        return back
    }

    /// Maximum number of frames above `back`, in one stack and in all.
    private static let (mostNormalized, mostNormalizedInAll) = (64, 32_768)

    /// The state of the stacks above `back`, as if there were nothing below, in which counts of rounds that no token can
    /// distinguish are set to the same number; `nil` if the stacks are too deep or too many.
    private mutating func normalized(
        _ stacks: Stacks, above back: Int32, _ longestToken: Int
    ) throws(GrammarLimit) -> State? {
        var tops: [Int32] = []
        var seen: Set<Int32> = []
        var count = 0
        for top in stacks.tops {
            var path: [GrammarFrames.Frame] = []
            var number = top
            while number != back {
                guard number != GrammarFrames.none, path.count < Self.mostNormalized else { return nil }
                path.append(frames[number])
                number = frames[number].parent
            }
            count += path.count
            guard count <= Self.mostNormalizedInAll else { return nil }
            var parent = GrammarFrames.none
            for below in path.reversed() {
                parent = try frame(below.element, parent, normalized(below, longestToken), memo: below.memo)
            }
            if seen.insert(parent).inserted { tops.append(parent) }
        }
        let accepts = back == GrammarFrames.none && stacks.accepts
        return number(of: Stacks(tops: tops, accepts: accepts))
    }

    /// The number of rounds read, reduced if a token is too short to make a difference: each round has at least one byte.
    private func normalized(_ frame: GrammarFrames.Frame, _ longestToken: Int) -> Int32 {
        guard case .repetition(let number) = grammar.elements[Int(frame.element)] else { return frame.count }
        let repetition = grammar.repetitions[Int(number)]
        if frame.count < repetition.least { return repetition.least - frame.count > longestToken ? 0 : frame.count }
        guard let most = repetition.most else { return repetition.least }
        return most - frame.count > longestToken ? repetition.least : frame.count
    }
}
