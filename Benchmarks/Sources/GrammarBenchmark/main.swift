// The cost of structured output per token: masks over 200,000 synthetic tokens along random replies under some schemas.
// Prints the time to compile, and the median, the 99th percentile and the longest time for cached and for new masks.
// Arguments: [replies]. Needs -Xswiftc -enable-testing.

import Foundation
import JSON

@testable import Grammars

nonisolated(unsafe) var seed: UInt64 = 1
func random(_ bound: Int) -> Int {
    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(seed >> 33) % bound
}

// Words with and without a space, capitals, digits, and the ends of strings in combination with other characters.
var tokens: Set<[UInt8]> = Set((0..<256).map { [UInt8($0)] })
let letters = Array("etaoinshrdlucmfwypvbgk".utf8)
let ends = [
    "\"", "\",", "\":", "\"}", "\"]", "\", \"", "\":\"", "\": \"", "\"},{\"", ",", "}", "]", "{", "[", ": ", ", ",
].map { Array($0.utf8) }
while tokens.count < 200_000 {
    var token: [UInt8] = random(2) == 0 ? [0x20] : []
    switch random(20) {
    case 0: token = (0...random(3)).map { _ in UInt8(0x30 + random(10)) }
    case 1: token += ends[random(ends.count)]
    default:
        token += (0...random(9)).map { _ in letters[random(letters.count)] }
        if random(20) == 0 { token += ends[random(ends.count)] }
        if random(8) == 0, let first = token.first, first != 0x20 { token[0] = first - 32 }
    }
    tokens.insert(token)
}
let clock = ContinuousClock()
var begin = clock.now
let trie = VocabularyTrie(tokens: tokens.sorted { $0.lexicographicallyPrecedes($1) })
print("vocabulary: \(tokens.count) tokens, \(trie.bytes.count) nodes, \((clock.now - begin) / .milliseconds(1)) ms")

let schemas: [(String, String)] =
    [
        (
            "flat",
            #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"note":{"type":"string","maxLength":200},"ok":{"type":"boolean"}},"required":["name","age","note","ok"]}"#
        ),
        (
            "nested",
            ##"{"$defs":{"n":{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"tags":{"type":"array","items":{"type":"string"},"maxItems":5},"kind":{"enum":["leaf","branch","root"]},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["id","tags","kind","next"]}},"$ref":"#/$defs/n"}"##
        ),
        ("any object", #"{"type":"object"}"#),
        (
            "pattern",
            #"{"type":"object","properties":{"phone":{"type":"string","pattern":"^\\+?[0-9 ()-]{5,20}$"},"date":{"type":"string","format":"date-time"},"score":{"type":"number","minimum":0,"maximum":100}},"required":["phone","date","score"]}"#
        ),
    ]
    + [100, 1_000].map { count in
        let values = (0..<count).map { number in
            "\"" + String(decoding: (0...3 + random(8)).map { _ in letters[random(letters.count)] }, as: UTF8.self)
                + " \(number)\""
        }
        return (
            "unique, of \(count)",
            "{\"type\":\"array\",\"items\":{\"enum\":[\(values.joined(separator: ","))]},\"uniqueItems\":true,\"minItems\":\(count / 2)}"
        )
    }

extension TokenMask {
    var ids: [Int32] {
        var ids: [Int32] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                ids.append(Int32(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return ids
    }
}

func milliseconds(_ times: [Double], _ share: Double) -> String {
    let sorted = times.sorted()
    return sorted.isEmpty
        ? "-" : String(format: "%.1f us", sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)])
}

let replies = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 20
for (name, schema) in schemas {
    let value = try JSONValue(parsing: schema)
    begin = clock.now
    let grammar = try GrammarSource.jsonSchema(value).compile(trie)
    let compile = (clock.now - begin) / .milliseconds(1)
    var (fresh, known): ([Double], [Double]) = ([], [])
    for _ in 0..<replies {
        var (position, token) = (try grammar.startPosition(), Int32?.none)
        // Lists of different values are followed to their end.
        let fills = name.hasPrefix("unique")
        for step in 0..<(fills ? 10_000 : 150) {
            begin = clock.now
            var next = grammar.knownStep(from: position, token: token)
            if next == nil {
                var computation = GrammarStepComputation(grammar, from: position, token: token)
                next = try computation.run(units: .max, isCancelled: { false })?.get()
                fresh.append((clock.now - begin) / .microseconds(1))
            } else {
                known.append((clock.now - begin) / .microseconds(1))
            }
            guard let next, !next.mustEnd else { break }
            let mask = next.mask
            if fills {
                let allowed = mask.ids
                let open = allowed.filter { trie.text(of: $0).last != 0x5D }
                let some = open.isEmpty ? allowed : open
                (position, token) = (next.position, some[random(some.count)])
                continue
            }
            var id = Int32(random(trie.vocabularySize))
            // After a while, prefers tokens that close strings, arrays and objects.
            for _ in 0..<(step > 60 ? 0 : 50) where !mask.contains(id) { id = Int32(random(trie.vocabularySize)) }
            if step > 60 || !mask.contains(id) {
                let all = (0..<Int32(trie.vocabularySize)).filter { mask.contains($0) }
                let closing = all.filter { [0x22, 0x5D, 0x7D].contains(trie.text(of: $0).last ?? 0) }
                id = closing.isEmpty ? all[random(all.count)] : closing[random(closing.count)]
            }
            (position, token) = (next.position, id)
        }
    }
    print(
        "\(name): compiled in \(String(format: "%.1f", compile)) ms; \(known.count) known masks "
            + "\(milliseconds(known, 0.5)), 99 % \(milliseconds(known, 0.99)); \(fresh.count) new ones "
            + "\(milliseconds(fresh, 0.5)), 99 % \(milliseconds(fresh, 0.99)), longest \(milliseconds(fresh, 1)); "
            + "all 99 % \(milliseconds(known + fresh, 0.99))")
}
