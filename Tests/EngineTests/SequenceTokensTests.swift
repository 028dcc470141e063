import Scheduling
import TestSupport
import Testing

@testable import Engine

/// Ids of a prompt that choices share, and of what each of them generates.
@Suite struct SequenceTokensTests {
    @Test func `ranges and suffixes equal those of one array`() {
        for promptCount in 1...4 {
            var tokens = SequenceTokens(prompt: (0..<Int32(promptCount)).map { $0 })
            for count in promptCount..<promptCount + 4 {
                let all = (0..<Int32(count)).map { $0 }
                #expect(tokens.count == count)
                for lower in 0...count {
                    for upper in lower...count {
                        var copied: [Int32] = [-1]
                        tokens.copy(lower..<upper, to: &copied)
                        #expect(copied == [-1] + all[lower..<upper])
                    }
                    #expect(tokens.suffix(lower) == Array(all.suffix(lower)))
                }
                #expect(tokens.suffix(100) == all)
                tokens.append(Int32(count))
            }
        }
    }

    @Test func `choices of one request share their prompt, and other requests do not`() throws {
        let scheduler = Scheduler(
            limits: SchedulerLimits(
                maxSequences: 4, maxBatchedTokens: 16, maxQueuedSequences: 4, maxModelLength: 100),
            geometry: KVCacheGeometry(
                blockSize: 4, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 0, slidingWindow: 0,
                totalBlocks: 10))
        func request(_ ids: [Int32], cacheSalt: [UInt8] = []) -> GenerationRequest {
            var sampling = SamplingParameters()
            sampling.presencePenalty = 1
            var request = GenerationRequest(
                id: SequenceID(1), promptIDs: ids, sampling: sampling, stop: StopConditions(), maxTokens: 1)
            request.cacheSalt = cacheSalt
            return request
        }
        var prompt = try AdmittedPrompt(request([1, 2, 2]), scheduler, vocabularySize: 3)
        #expect(prompt.isPrompt(of: request([1, 2, 2])))
        #expect(!prompt.isPrompt(of: request([1, 2, 2], cacheSalt: [1])) && !prompt.isPrompt(of: request([1, 2])))
        #expect(prompt.counts(for: request([1, 2, 2])).prompt == [1, 2])
        #expect(throws: RequestError.self) { try AdmittedPrompt(request([1, 3]), scheduler, vocabularySize: 3) }
        #expect(throws: RequestError.self) { try AdmittedPrompt(request([]), scheduler, vocabularySize: 3) }
    }
}
