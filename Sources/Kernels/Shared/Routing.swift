import KernelInterface

extension Kernels {
    /// Chooses the experts of each token and their mixing weights.
    public static func route(_ arguments: RoutingArguments) {
        let (keys, bias) = (arguments.keys, arguments.bias)
        let (experts, chosen) = (arguments.experts, arguments.chosen)
        var token = 0
        while token < arguments.tokens {
            let scores = arguments.logits + token * experts
            let ids = arguments.ids + token * chosen
            if arguments.usesSoftmax { softmax(scores, experts) } else { applySigmoid(scores, experts) }
            var e = 0
            while e < experts {
                keys[e] = scores[e] + bias[e]
                e += 1
            }
            if arguments.groups > 1 { dropGroups(keys, experts, arguments.groups, arguments.keptGroups) }
            pick(keys, experts, chosen, ids)
            mix(scores, ids, arguments.weights + token * chosen, arguments)
            token += 1
        }
    }

    /// Adds the results of each token's experts in order of the choices, then that of the shared expert.
    public static func combineExperts(_ arguments: CombineArguments) {
        let (chosen, width) = (arguments.chosen, arguments.width)
        var token = 0
        while token < arguments.tokens {
            var i = 0
            while i < width {
                var total = SIMD16<Float>.zero
                var choice = token * chosen
                while choice < (token + 1) * chosen {
                    let row = arguments.rows + Int(arguments.slots[choice]) * width
                    total = load(row, i, count: width - i) * arguments.weights[choice] + total
                    choice += 1
                }
                if let shared = arguments.shared {
                    total = total + load(shared + token * width, i, count: width - i)
                }
                store(total, arguments.out + token * width, i, count: width - i)
                i += 16
            }
            token += 1
        }
    }

    @inline(__always)
    private static func applySigmoid(_ x: UnsafeMutablePointer<Float>, _ count: Int) {
        var i = 0
        while i < count {
            store(sigmoid(load(x, i, count: count - i)), x, i, count: count - i)
            i += 16
        }
    }

    @inline(__always)
    private static func softmax(_ x: UnsafeMutablePointer<Float>, _ count: Int) {
        var highest = x[0]
        var i = 1
        while i < count {
            if x[i] > highest { highest = x[i] }
            i += 1
        }
        var total: Float = 0
        i = 0
        while i < count {
            x[i] = exponential(x[i] - highest)
            total += x[i]
            i += 1
        }
        i = 0
        while i < count {
            x[i] /= total
            i += 1
        }
    }

    /// Sets the keys outside the best `kept` groups to minus infinity.
    @inline(__always)
    private static func dropGroups(_ keys: UnsafeMutablePointer<Float>, _ experts: Int, _ groups: Int, _ kept: Int) {
        let size = experts / groups
        var group = 0
        var dropped = groups - kept
        // The worst groups are removed first. Of equal groups, the later one is removed, so that the earlier one stays.
        while dropped > 0 {
            var worst = -1
            var worstScore: Float = 0
            group = 0
            while group < groups {
                let score = groupScore(keys + group * size, size)
                if score > -.infinity && (worst < 0 || score <= worstScore) {
                    worst = group
                    worstScore = score
                }
                group += 1
            }
            guard worst >= 0 else { return }
            var e = worst * size
            while e < (worst + 1) * size {
                keys[e] = -.infinity
                e += 1
            }
            dropped -= 1
        }
    }

    @inline(__always)
    private static func groupScore(_ keys: UnsafePointer<Float>, _ size: Int) -> Float {
        if size == 1 { return keys[0] }
        var first = keys[0] > keys[1] ? keys[0] : keys[1]
        var second = keys[0] > keys[1] ? keys[1] : keys[0]
        var i = 2
        while i < size {
            if keys[i] > first {
                second = first
                first = keys[i]
            } else if keys[i] > second {
                second = keys[i]
            }
            i += 1
        }
        return first + second
    }

    /// Finds the indices of the largest keys, in ascending order. The ids are valid and distinct even if keys are NaN.
    @inline(__always)
    private static func pick(
        _ keys: UnsafePointer<Float>, _ experts: Int, _ chosen: Int, _ ids: UnsafeMutablePointer<Int32>
    ) {
        var count = 0
        while count < chosen {
            var best = -1
            var next = 0  // the next of the ids so far, which are in ascending order
            var e = 0
            while e < experts {
                if next < count && Int(ids[next]) == e {
                    next += 1
                } else if best < 0 || keys[e] > keys[best] {
                    best = e
                }
                e += 1
            }
            var place = count
            while place > 0 && Int(ids[place - 1]) > best {
                ids[place] = ids[place - 1]
                place -= 1
            }
            ids[place] = Int32(truncatingIfNeeded: best)
            count += 1
        }
    }

    @inline(__always)
    private static func mix(
        _ scores: UnsafePointer<Float>, _ ids: UnsafePointer<Int32>, _ weights: UnsafeMutablePointer<Float>,
        _ arguments: RoutingArguments
    ) {
        var total: Float = 0
        var i = 0
        while i < arguments.chosen {
            weights[i] = scores[Int(ids[i])]
            total += weights[i]
            i += 1
        }
        i = 0
        while i < arguments.chosen {
            if arguments.normalizes { weights[i] /= total + 1e-20 }
            weights[i] *= arguments.scale
            i += 1
        }
    }
}
