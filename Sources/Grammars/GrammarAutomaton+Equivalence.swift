// States whose masks are the same, though they are not: what is below a lexeme, and how many rounds are left of a repetition
// that no token can use up, matter to no token that stays inside.

extension GrammarAutomaton {
    /// How the mask of a state is found.
    enum MaskPlan: Hashable {
        /// It is the mask of this state.
        case whole(State)
        /// It has the tokens that `inside`, where the lexeme is all there is, allows, and those that go on from `behind` where
        /// the lexeme ends. A lexeme that is to differ from others has fewer of both; nothing else does behind it.
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

    /// Where the one lexeme that all stacks are in goes on; `nil` when there is none.
    private func commonLexemeReturn(of stacks: Stacks) -> Int32? {
        guard !stacks.accepts, let first = stacks.tops.first, let back = frames.records[Int(first)].lexemeReturn,
            stacks.tops.allSatisfy({ frames.records[Int($0)].lexemeReturn == back })
        else { return nil }
        return back
    }

    /// Frames above `back` at most, of one stack and of all.
    private static let (mostNormalized, mostNormalizedInAll) = (64, 32_768)

    /// The state of the stacks above `back`, as if there were nothing below, with rounds that make no difference to any token
    /// set to the same number; `nil` when they are too deep or too many.
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

    /// Rounds that were read, or fewer where a token is too short to tell: each round has at least a byte.
    private func normalized(_ frame: GrammarFrames.Frame, _ longestToken: Int) -> Int32 {
        guard case .repetition(let number) = grammar.elements[Int(frame.element)] else { return frame.count }
        let repetition = grammar.repetitions[Int(number)]
        if frame.count < repetition.least { return repetition.least - frame.count > longestToken ? 0 : frame.count }
        guard let most = repetition.most else { return repetition.least }
        return most - frame.count > longestToken ? repetition.least : frame.count
    }
}
