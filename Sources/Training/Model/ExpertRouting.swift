import Engine
import Foundation

/// The experts chosen for the tokens of a batch, and the gradient of the choice.
struct ExpertRouting {
    let experts: Int
    let chosen: Int
    /// Whether the weights of a token's experts are divided by the sum of their scores.
    let normalizes: Bool
    let scale: Float
    /// Sigmoid scores (tokens, experts).
    let scores: Matrix
    /// The weights of the chosen experts (tokens, chosen), in the order of ``ids``.
    let weights: Matrix
    /// The chosen experts of each token, highest score first. Ties go to the lower index.
    private(set) var ids: [Int]
    /// The number of tokens of each expert.
    private(set) var counts: [Int]
    /// The objects that own the memory of the matrices.
    private let owners: [AnyObject]

    /// - Parameters:
    ///   - logits: (tokens, experts), overwritten with the scores.
    ///   - bias: (experts), used only for the choice.
    init(
        logits: Buffer<Float>, tokens: Int, experts: Int, chosen: Int, normalizes: Bool, scale: Float, bias: [Float]
    ) {
        (self.experts, self.chosen, self.normalizes, self.scale) = (experts, chosen, normalizes, scale)
        let memory = Buffer<Float>(count: tokens * chosen)
        scores = Matrix(logits.base, rows: tokens, columns: experts)
        weights = Matrix(memory.base, rows: tokens, columns: chosen)
        owners = [logits, memory]
        ids = []
        ids.reserveCapacity(tokens * chosen)
        counts = [Int](repeating: 0, count: experts)
        for index in 0..<tokens * experts { logits.base[index] = 1 / (1 + exp(-logits.base[index])) }
        var isChosen = [Bool](repeating: false, count: experts)
        for token in 0..<tokens {
            let row = scores.row(token)
            let first = ids.count
            for _ in 0..<chosen {
                var best: Int?
                for expert in 0..<experts where !isChosen[expert] {
                    if best.map({ row[expert] + bias[expert] > row[$0] + bias[$0] }) ?? true { best = expert }
                }
                guard let best else { preconditionFailure("a token chooses at most all experts") }
                isChosen[best] = true
                ids.append(best)
                counts[best] += 1
            }
            for id in ids[first...] { isChosen[id] = false }
            let sum = normalizes ? ids[first...].reduce(0) { $0 + row[$1] } + 1e-20 : 1
            for (choice, id) in ids[first...].enumerated() { weights.row(token)[choice] = row[id] / sum * scale }
        }
    }

    /// Creates the routing from a choice computed elsewhere, in memory of `owner`.
    init(
        scores: Matrix, weights: Matrix, owner: AnyObject, normalizes: Bool, scale: Float, ids: [Int], counts: [Int]
    ) {
        (experts, chosen, self.normalizes, self.scale) = (scores.columns, weights.columns, normalizes, scale)
        (self.scores, self.weights, owners) = (scores, weights, [owner])
        (self.ids, self.counts) = (ids, counts)
    }

    /// Turns the gradient of one row's weights (tokens, chosen) into the gradient of its logits (tokens, experts), including the
    /// balance loss with the factor `balance`.
    func backward(dWeights: Matrix, row: Range<Int>, balance: Float, into dLogits: Matrix) {
        let shares = balance == 0 ? [] : BalanceLoss.shares(row, of: self)
        for token in row {
            let (score, change, gradient) = (scores.row(token), dLogits.row(token), dWeights.row(token))
            for expert in 0..<experts { change[expert] = 0 }
            let choices = ids[token * chosen..<(token + 1) * chosen]
            var (sum, pull) = (Float(1), Float(0))
            if normalizes {
                sum = choices.reduce(0) { $0 + score[$1] } + 1e-20
                for (choice, id) in choices.enumerated() { pull += gradient[choice] * score[id] }
                pull /= sum
            }
            for (choice, id) in choices.enumerated() { change[id] = scale / sum * (gradient[choice] - pull) }
            if balance != 0 {
                BalanceLoss.addGradient(score, shares: shares, factor: balance / Float(row.count), to: change)
            }
            for expert in 0..<experts { change[expert] *= score[expert] * (1 - score[expert]) }
        }
    }
}

/// The sequence-wise balance loss of a row in one layer: sum f_i P_i. f_i is experts / (chosen n) times the number of tokens of
/// expert i, a constant for the gradient, for a row of n tokens. P_i is the mean of score_i / sum of scores. The loss is 1 if all
/// scores are equal.
enum BalanceLoss {
    /// Returns f for the tokens of one row; empty for an empty row.
    static func shares(_ row: Range<Int>, of routing: ExpertRouting) -> [Float] {
        guard !row.isEmpty else { return [] }
        var counts = [Int](repeating: 0, count: routing.experts)
        for id in routing.ids[row.lowerBound * routing.chosen..<row.upperBound * routing.chosen] { counts[id] += 1 }
        let factor = Double(routing.experts) / Double(routing.chosen * row.count)
        return counts.map { Float(Double($0) * factor) }
    }

    /// Returns the loss of one row; 0 for an empty row.
    static func value(_ row: Range<Int>, of routing: ExpertRouting) -> Double {
        let shares = shares(row, of: routing)
        var total = 0.0
        for token in row {
            let score = routing.scores.row(token)
            var (sum, weighted) = (0.0, 0.0)
            for (expert, share) in shares.enumerated() {
                sum += Double(score[expert])
                weighted += Double(share) * Double(score[expert])
            }
            // All scores of a token may underflow to 0.
            total += sum > 0 ? weighted / sum : 0
        }
        return row.isEmpty ? 0 : total / Double(row.count)
    }

    /// Adds factor (f_i - sum_l f_l s_l / z) / z to each change_i, where z = sum_l s_l, for the scores s of one token.
    static func addGradient(
        _ scores: UnsafePointer<Float>, shares: [Float], factor: Float, to change: UnsafeMutablePointer<Float>
    ) {
        var (sum, weighted) = (Float(0), Float(0))
        for (expert, share) in shares.enumerated() {
            sum += scores[expert]
            weighted += share * scores[expert]
        }
        // All scores of a token may underflow to 0. Other sums are not changed by this term.
        sum += 1e-20
        for (expert, share) in shares.enumerated() {
            change[expert] += factor * (share - weighted / sum) / sum
        }
    }
}
