import KernelInterface

func routingCases() {
    for (experts, groups, kept, isSoftmax) in [(8, 1, 1, false), (40, 4, 2, false), (40, 4, 2, true), (17, 1, 1, true)]
    {
        route(experts, groups, kept, isSoftmax)
    }
}

/// Chooses experts of five tokens, and adds up their results.
private func route(_ experts: Int, _ groups: Int, _ kept: Int, _ isSoftmax: Bool) {
    let (tokens, chosen, width) = (5, 3, 36)
    var random = RandomValues(seed: experts)
    let logits = Memory(floats: tokens * experts, limit: 8, &random)
    let bias = Memory(floats: experts, limit: 0.1, &random)
    let keys = Memory(floats: experts)
    let ids = Memory(bytes: tokens * chosen * 4)
    let weights = Memory(floats: tokens * chosen)
    Kernels.route(
        RoutingArguments(
            logits: logits.floats, bias: bias.floats, keys: keys.floats, tokens: tokens, experts: experts,
            chosen: chosen, groups: groups, keptGroups: kept, usesSoftmax: isSoftmax, normalizes: !isSoftmax,
            scale: 2.5,
            ids: ids.integers, weights: weights.floats))
    report("expert ids", experts, groups, kept, bytes: ids)
    report("expert weights", experts, groups, kept, floats: weights)

    let rows = Memory(floats: tokens * chosen * width, &random)
    let shared = Memory(floats: tokens * width, &random)
    let slots = Memory(bytes: tokens * chosen * 4)
    for slot in 0..<tokens * chosen { slots.integers[slot] = Int32(tokens * chosen - 1 - slot) }
    let out = Memory(floats: tokens * width)
    Kernels.combineExperts(
        CombineArguments(
            rows: rows.floats, slots: slots.integers, weights: weights.floats, shared: shared.floats, out: out.floats,
            tokens: tokens, chosen: chosen, width: width))
    report("experts", experts, groups, kept, floats: out)
}
