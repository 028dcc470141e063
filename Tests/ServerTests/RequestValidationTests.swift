import Engine
import JSON
import Scheduling
import Testing

@testable import Server

/// Requests as JSON text, for a model with 100 ids and a context of 64 tokens.
@Suite struct RequestValidationTests {
    // MARK: What is accepted

    @Test func `a request uses the model's defaults for missing parameters`() throws {
        var model = ServedModel.sample
        model.samplingDefaults.temperature = 0.25
        model.samplingDefaults.topK = 7
        let request = try CompletionRequest(
            JSONValue(parsing: #"{"prompt":"Hi","top_k":null,"top_p":0.5}"#), for: model)
        #expect(request.prompts == [.text("Hi")])
        #expect(request.options.sampling.temperature == 0.25)
        #expect(request.options.sampling.topK == 7)
        #expect(request.options.sampling.topP == 0.5)
        #expect(request.options.choices == 1)
        #expect(request.options.streaming == nil)
        #expect(request.options.logprobs == nil)
    }

    @Test func `every supported parameter of completions is read`() throws {
        let options = try completion(
            #"""
            {"model":"tiny","prompt":[1,2],"max_tokens":5,"temperature":0,"top_p":0.9,"top_k":-1,"min_p":0.1,
             "presence_penalty":-2,"frequency_penalty":2,"repetition_penalty":1.5,"logit_bias":{"9":100,"3":-1.5},
             "seed":-7,"stop":["a","b"],"stop_token_ids":[4],"include_stop_str_in_output":true,"ignore_eos":true,
             "min_tokens":3,"n":2,"best_of":2,"logprobs":0,"allowed_token_ids":[9,3,9],"bad_words":["no"],
             "truncate_prompt_tokens":7,"truncation_side":"right","return_tokens_as_token_ids":true,"stream":true,
             "stream_options":{"include_usage":true,"continuous_usage_stats":true,"include_obfuscation":false},
             "return_token_ids":true,"skip_special_tokens":false,"add_special_tokens":false,"user":"u","store":false,
             "echo":true,"suffix":"","service_tier":"auto","metadata":{"a":"b"},"priority":-3,"timeout":1.5}
            """#
        ).options
        var sampling = SamplingParameters()
        sampling.temperature = 0
        sampling.topP = 0.9
        sampling.minP = 0.1
        sampling.presencePenalty = -2
        sampling.frequencyPenalty = 2
        sampling.repetitionPenalty = 1.5
        sampling.logitBias = [LogitBias(id: 3, bias: -1.5), LogitBias(id: 9, bias: 100)]
        sampling.minTokens = 3
        sampling.allowedTokenIDs = [3, 9]
        #expect(options.sampling == sampling)
        #expect(options.seed == -7)
        #expect(options.stop.strings == ["a", "b"])
        #expect(options.stop.tokenIDs == [4])
        #expect(options.stop.keepsStopText && options.stop.ignoresEndOfSequence)
        #expect(options.maxTokens == 5 && options.choices == 2 && options.logprobs == 0)
        #expect(options.streaming == .init(includesUsage: true, reportsUsageContinuously: true))
        #expect(options.returnsTokenIDs && !options.skipsSpecialTokens && !options.addsSpecialTokens)
        #expect(options.namesServiceTier && options.echoesPrompt && options.namesTokensByID)
        #expect(options.badWords == ["no"] && options.truncation == .init(tokens: 7, keepsEnd: false))
        #expect(options.priority == -3 && options.timeout == .seconds(1.5))
    }

    @Test(
        arguments: [
            (#""Hi""#, [.text("Hi")]), (#"["a","b"]"#, [.text("a"), .text("b")]), ("[1,2.0]", [.ids([1, 2])]),
            ("[[1],[2,3]]", [.ids([1]), .ids([2, 3])]), (#"[[1],"b"]"#, [.ids([1]), .text("b")]),
        ] as [(String, [CompletionRequest.Prompt])])
    func `a prompt has five forms`(json: String, prompts: [CompletionRequest.Prompt]) throws {
        #expect(try completion(#"{"prompt":\#(json)}"#).prompts == prompts)
    }

    @Test func `a chat is passed to the template with joined content and parsed arguments`() throws {
        let request = try chat(
            #"""
            {"messages":[
              {"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
              {"role":"user","content":"hi","name":"ann"},
              {"role":"assistant","content":null,"reasoning":"hm","refusal":null,"annotations":[],
               "tool_calls":[{"id":"c1","index":0,"type":"function","function":{"name":"f","arguments":"{\"z\":1,\"a\":2.0}"}},
                             {"id":"c2","type":"function","function":{"name":"g","arguments":""}},
                             {"id":"c3","type":"function","function":{"name":"h","arguments":"{oops"}}]},
              {"role":"tool","tool_call_id":"c1","content":"42"}],
             "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
             "chat_template_kwargs":{"enable_thinking":false},"add_generation_prompt":false,"modalities":["text"],
             "response_format":{"type":"text"},"max_completion_tokens":9,"logprobs":true,"top_logprobs":2,
             "tool_choice":"auto","parallel_tool_calls":true,"verbosity":"low","prediction":null}
            """#)
        #expect(request.options.maxTokens == 9 && request.options.logprobs == 2)
        #expect(!request.options.addsSpecialTokens)
        let variables = JSONValue.object(request.templateVariables(specialTokens: ["bos_token": "<s>"]))
        let messages = variables["messages"]
        #expect(messages?[0] == ["role": "system", "content": "a\nb"])
        #expect(messages?[1] == ["role": "user", "content": "hi", "name": "ann"])
        let assistant = messages?[2]
        #expect(assistant?["content"] == "")
        #expect(assistant?["reasoning"] == "hm" && assistant?["reasoning_content"] == "hm")
        let arguments = (0..<3).map { assistant?["tool_calls"]?[$0]?["function"]?["arguments"] }
        #expect(arguments == [["z": 1, "a": 2.0], [:], "{oops"])
        #expect(messages?[3] == ["role": "tool", "content": "42", "tool_call_id": "c1"])
        #expect(variables["bos_token"] == "<s>" && variables["enable_thinking"] == false)
        #expect(variables["add_generation_prompt"] == false)
        #expect(variables["tools"]?[0]?["function"]?["name"] == "f")
    }

    @Test func `tools are hidden from the template if none may be called`() throws {
        let tool = #"{"type":"function","function":{"name":"f"}}"#
        let request = try chat(#"{"messages":[{"role":"user","content":""}],"tools":[\#(tool)],"tool_choice":"none"}"#)
        #expect(request.templateVariables(specialTokens: [:])["tools"] == JSONValue.null)
    }

    // MARK: What is refused

    @Test(
        arguments: [
            (#""temperature":2.5"#, "temperature", "from 0 to 2, not 2.5"),
            (#""temperature":"hot""#, "temperature", "'hot'"),
            (#""top_p":-0.1"#, "top_p", "from 0 to 1, not -0.1"), (#""top_p":1.01"#, "top_p", "1.01"),
            (#""top_k":-2"#, "top_k", "at least -1, not -2"), (#""top_k":1.5"#, "top_k", "an integer, not 1.5"),
            (#""min_p":-0.1"#, "min_p", "-0.1"), (#""presence_penalty":-2.1"#, "presence_penalty", "-2.1"),
            (#""frequency_penalty":true"#, "frequency_penalty", "a number, not true"),
            (#""repetition_penalty":1e-40"#, "repetition_penalty", "from 0.01 to 100"),
            (#""seed":18446744073709551616"#, "seed", "1844"),
            (#""priority":101"#, "priority", "from -100 to 100, not 101"), (#""priority":0.5"#, "priority", "0.5"),
            (#""timeout":0"#, "timeout", "above 0 and at most 86400, not 0"), (#""timeout":86401"#, "timeout", "86401"),
            (#""timeout":"1s""#, "timeout", "a number, not '1s'"),
            (#""n":0"#, "n", "from 1 to 128, not 0"), (#""n":129"#, "n", "129"),
            (#""max_tokens":-2"#, "max_tokens", "not -2"),
            (#""min_tokens":-1"#, "min_tokens", "-1"), (#""logprobs":21"#, "logprobs", "from 0 to 20, not 21"),
            (#""logprobs":true"#, "logprobs", "true"),
            (#""logit_bias":{"100":1}"#, "logit_bias", "'100', not a token id from 0 to 99"),
            (#""logit_bias":{"01":1}"#, "logit_bias", "'01'"), (#""logit_bias":{"1":101}"#, "logit_bias", "not 101"),
            (#""logit_bias":[1]"#, "logit_bias", "an object, not an array"), (#""stop":"""#, "stop", "empty"),
            (#""stop":["a",""]"#, "stop", "empty"), (#""stop":[1]"#, "stop[0]", "a string, not 1"),
            (#""stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"]"#, "stop", "at most 16"),
            (#""stop_token_ids":[1,100]"#, "stop_token_ids[1]", "100"), (#""stream":"yes""#, "stream", "'yes'"),
            (#""stream_options":{"include_usage":true}"#, "stream_options", "stream"),
            (#""stream":true,"stream_options":{"include_usage":1}"#, "stream_options.include_usage", "not 1"),
            (#""stream":true,"stream_options":{"x":1}"#, "stream_options.x", "Unrecognized"),
            (#""user":7"#, "user", "a string, not 7"), (#""metadata":"m""#, "metadata", "'m'"),
            (#""service_tier":"best""#, "service_tier", "'best'"), (#""store":true"#, "store", "not supported"),
            (#""echo":1"#, "echo", "true or false"), (#""suffix":"x""#, "suffix", "not supported"),
            (#""best_of":2,"stream":true"#, "best_of", "'stream' is false"),
            (#""n":2,"best_of":1"#, "best_of", "at least 'n', which is 2, not 1"),
            (#""prompt_logprobs":21"#, "prompt_logprobs", "from 0 to 20, not 21"),
            (#""prompt_logprobs":1,"stream":true"#, "prompt_logprobs", "'stream' is false"),
            (#""allowed_token_ids":[]"#, "allowed_token_ids", "empty"),
            (#""allowed_token_ids":[7,100]"#, "allowed_token_ids[1]", "100"),
            (#""speculative":true"#, "speculative", "runs without --spec-method"),
            (#""cache_salt":"""#, "cache_salt", "from 1 to 128 characters, not 0"),
            (#""bad_words":"x""#, "bad_words", "an array"), (#""bad_words":["a",""]"#, "bad_words", "empty"),
            (#""truncate_prompt_tokens":0"#, "truncate_prompt_tokens", "-1 or at least 1"),
            (#""truncate_prompt_tokens":-2"#, "truncate_prompt_tokens", "not -2"),
            (#""truncation_side":"middle""#, "truncation_side", "'left', 'right'"),
            (#""guided_grammar":5"#, "guided_grammar", "a string"),
            (#""guided_choice":[1]"#, "guided_choice[0]", "a string"),
            (#""guided_json":{},"allowed_token_ids":[1]"#, "allowed_token_ids", "cannot be used together"),
            (#""guided_json":{},"guided_regex":"a""#, "guided_regex", "cannot be used together"),
            (
                #""structured_outputs":{"json":null}"#, "structured_outputs",
                "one of json, regex, choice, grammar, json_object and structural_tag, not 0"
            ),
            (#""structured_outputs":{"json":"{"}"#, "structured_outputs.json", "must be a JSON object"),
            (#""structured_outputs":{"lark":"x"}"#, "structured_outputs.lark", "nrecognized"),
            (#""messages":[]"#, "messages", "Unrecognized"),
            (#""temprature":1"#, "temprature", "Unrecognized request argument supplied: temprature"),
        ] as [(String, String, String)])
    func `completions refuse an invalid parameter with its name and value`(
        field: String, param: String, excerpt: String
    ) {
        expectRefusal(param: param, excerpt: excerpt) { try completion(#"{"prompt":[1],\#(field)}"#) }
    }

    @Test(
        arguments: [
            ("7", "prompt", "not 7"), ("[]", "prompt", "empty"), ("[[]]", "prompt[0]", "at least one"),
            ("[1,100]", "prompt[1]", "0 to 99, not 100"), ("[1,-1]", "prompt[1]", "-1"),
            (#"[1,"a"]"#, "prompt[1]", "'a'"),
            (#"["a",1]"#, "prompt[1]", "not 1"), ("[[1],[2,1.5]]", "prompt[1][1]", "1.5"),
            ("{}", "prompt", "an object"),
            ("null", "prompt", "required"),
        ] as [(String, String, String)])
    func `an invalid prompt is refused with its path`(json: String, param: String, excerpt: String) {
        expectRefusal(param: param, excerpt: excerpt) { try completion(#"{"prompt":\#(json)}"#) }
    }

    @Test(
        arguments: [
            (#"[]"#, "messages", "at least one"), (#"["hi"]"#, "messages[0]", "an object"),
            (#"[{"content":"x"}]"#, "messages[0].role", "required"),
            (#"[{"role":"king","content":"x"}]"#, "messages[0].role", "'king'"),
            (#"[{"role":"user"}]"#, "messages[0].content", "required"),
            (#"[{"role":"user","content":null}]"#, "messages[0].content", "required"),
            (#"[{"role":"user","content":7}]"#, "messages[0].content", "not 7"),
            (
                #"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}]}]"#,
                "messages[1].content[1]", "image_url"
            ),
            (#"[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text", "required"),
            (#"[{"role":"tool","content":"x"}]"#, "messages[0].tool_call_id", "required"),
            (#"[{"role":"user","content":"x","tool_calls":[]}]"#, "messages[0].tool_calls", "Unrecognized"),
            (
                #"[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f"}}]}]"#,
                "messages[0].tool_calls[0].function.arguments", "required"
            ),
            (
                #"[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}]"#,
                "messages[0].tool_calls[0].type", "required"
            ),
            (
                #"[{"role":"assistant","tool_calls":[{"id":"1","type":"magic"}]}]"#, "messages[0].tool_calls[0].type",
                "'magic'"
            ),
        ] as [(String, String, String)])
    func `an invalid message is refused with its path`(json: String, param: String, excerpt: String) {
        expectRefusal(param: param, excerpt: excerpt) { try chat(#"{"messages":\#(json)}"#) }
    }

    @Test(
        arguments: [
            (#""top_logprobs":1"#, "top_logprobs", "logprobs"),
            (#""logprobs":true,"top_logprobs":21"#, "top_logprobs", "21"),
            (#""logprobs":1"#, "logprobs", "true or false, not 1"),
            (#""max_tokens":3,"max_completion_tokens":4"#, "max_tokens", "4"),
            (#""tool_choice":"required""#, "tool_choice", "requires 'tools'"),
            (
                #""tool_choice":{"type":"function","function":{"name":"f"}}"#, "tool_choice.function.name",
                "not among the tools"
            ),
            (#""tool_choice":{"type":"custom"}"#, "tool_choice.type", "'custom'"),
            (#""tool_choice":"maybe""#, "tool_choice", "'maybe'"),
            (#""tools":[{"type":"x"}]"#, "tools[0].type", "not supported"),
            (#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name", "required"),
            (
                #""tools":[{"type":"function","function":{"name":"f","strict":"yes"}}]"#, "tools[0].function.strict",
                "true or false"
            ),
            (
                #""tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":0"#,
                "parallel_tool_calls", "true or false"
            ),
            (#""response_format":{"type":"structural_tag"}"#, "response_format.structures", "needs 'format'"),
            (#""structured_outputs":{"structural_tag":"x"}"#, "structured_outputs.structural_tag", "its text"),
            (#""guided_json":{"type":"null"},"structured_outputs":{"json":{}}"#, "guided_json", "used together"),
            (#""response_format":{"type":"json_schema"}"#, "response_format.json_schema", "required"),
            (
                #""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#,
                "response_format.json_schema.name", "required"
            ),
            (#""response_format":{"type":"json_object"},"guided_regex":"a""#, "guided_regex", "used together"),
            (#""response_format":{}"#, "response_format.type", "required"),
            (#""modalities":["text","audio"]"#, "modalities", "not supported"),
            (#""audio":{}"#, "audio", "not supported"),
            (#""chat_template_kwargs":{"messages":[]}"#, "chat_template_kwargs.messages", "a request parameter"),
            (#""chat_template_kwargs":[]"#, "chat_template_kwargs", "an object"),
            (#""reasoning_effort":"some""#, "reasoning_effort", "'minimal'"),
            (#""thinking_token_budget":-1"#, "thinking_token_budget", "0"),
            (#""continue_final_message":true"#, "continue_final_message", "an assistant message"),
            (#""continue_final_message":true,"add_generation_prompt":true"#, "continue_final_message", "used together"),
            (#""echo":true"#, "echo", "not supported"), (#""best_of":2"#, "best_of", "not supported"),
            (#""documents":["x"]"#, "documents[0]", "an object"),
            (#""prompt":"x""#, "prompt", "Unrecognized"),
        ] as [(String, String, String)])
    func `chat refuses an invalid parameter with its name and value`(field: String, param: String, excerpt: String) {
        expectRefusal(param: param, excerpt: excerpt) {
            try chat(#"{"messages":[{"role":"user","content":"x"}],\#(field)}"#)
        }
    }

    @Test func `null is the same as an absent parameter, for any name`() throws {
        _ = try completion(#"{"prompt":[1],"model":null,"stop":null,"echo":null,"stream_options":null,"what":null}"#)
    }

    @Test(arguments: ["[]", "7", "null", "\"x\""])
    func `a body that is not an object is refused without a parameter`(json: String) {
        #expect { try completion(json) } throws: {
            ($0 as? APIError)?.param == nil && ($0 as? APIError)?.status == .badRequest
        }
    }

    @Test func `another model is not found, before other parameters are checked`() {
        #expect(throws: APIError.modelNotFound("gpt")) { try completion(#"{"model":"gpt","prompt":7}"#) }
        #expect(throws: APIError.modelNotFound("gpt")) { try chat(#"{"model":"gpt"}"#) }
    }

    @Test func `prompts times choices are bounded`() throws {
        let prompts = Array(repeating: "[1]", count: 9).joined(separator: ",")
        _ = try completion(#"{"prompt":[\#(prompts)],"n":113}"#)
        expectRefusal(param: "prompt", excerpt: "at most 1024, not 9 times 114") {
            try completion(#"{"prompt":[\#(prompts)],"n":114}"#)
        }
    }

    @Test func `without a tokenizer only ids are accepted`() throws {
        var model = ServedModel.sample
        model.hasTokenizer = false
        func decode(_ text: String) throws -> CompletionRequest {
            try CompletionRequest(JSONValue(parsing: text), for: model)
        }
        #expect(try decode(#"{"prompt":[1]}"#).prompts == [.ids([1])])
        expectRefusal(param: "prompt", excerpt: "no tokenizer") { try decode(#"{"prompt":"a"}"#) }
        expectRefusal(param: "prompt[1]", excerpt: "no tokenizer") { try decode(#"{"prompt":[[1],"a"]}"#) }
        expectRefusal(param: "stop", excerpt: "no tokenizer") { try decode(#"{"prompt":[1],"stop":"a"}"#) }
        expectRefusal(param: "messages", excerpt: "no tokenizer") {
            try ChatCompletionRequest(JSONValue(parsing: #"{"messages":[{"role":"user","content":"x"}]}"#), for: model)
        }
    }

    // MARK: Sequences

    @Test func `each prompt gets n sequences in the order of the reply`() throws {
        let request = try completion(#"{"prompt":[[1],[2,3]],"n":2,"max_tokens":4,"seed":-1}"#)
        let sequences = try generation(request, prompts: [[1], [2, 3]])
        #expect(sequences.map(\.id.rawValue) == [10, 11, 12, 13])
        #expect(sequences.map(\.promptIDs) == [[1], [1], [2, 3], [2, 3]])
        #expect(sequences.map(\.sampling.choice) == [0, 1, 0, 1])
        #expect(sequences.allSatisfy { $0.sampling.seed == .max && $0.maxTokens == 4 && $0.detokenizes })
    }

    @Test func `without a seed the choices of a prompt share a random one`() throws {
        let sequences = try generation(completion(#"{"prompt":[[1],[1]],"n":2}"#), prompts: [[1], [1]])
        let seeds = sequences.map(\.sampling.seed)
        #expect(seeds[0] == seeds[1] && seeds[2] == seeds[3] && seeds[0] != seeds[2])
    }

    @Test func `the default limit is 16 for completions and the room left for chat`() throws {
        let request = try completion(#"{"prompt":[1]}"#)
        let long = [Int32](repeating: 1, count: 60)
        #expect(try generation(request, prompts: [[1]]).first?.maxTokens == 16)
        #expect(try generation(request, prompts: [long]).first?.maxTokens == 4)
        #expect(try generation(request, prompts: [[1]], endpoint: .chat).first?.maxTokens == 63)
    }

    @Test(
        arguments: [
            (64, nil, "64"), (63, 2, "2"), (1, 64, "64"), (1, Int.max, "\(Int.max)"), (100, 1, "100"),
        ] as [(Int, Int?, String)])
    func `a request beyond the context reports both numbers`(prompt: Int, maxTokens: Int?, number: String) throws {
        var request = try completion(#"{"prompt":[1]}"#)
        request.options.maxTokens = maxTokens
        let ids = [Int32](repeating: 1, count: prompt)
        #expect { try generation(request, prompts: [ids]) } throws: { error in
            guard let error = error as? APIError else { return false }
            return error.code == "context_length_exceeded" && error.status == .badRequest && error.param == "prompt"
                && error.message.contains("64") && error.message.contains(" \(prompt)")
                && error.message.contains(number)
        }
    }

    @Test func `the context can be filled to the last token`() throws {
        let ids = [Int32](repeating: 1, count: 63)
        let request = try completion(#"{"prompt":[1],"max_tokens":1}"#)
        #expect(try generation(request, prompts: [ids]).first?.maxTokens == 1)
    }

    @Test func `an empty prompt, and a minimum above the limit, are refused`() throws {
        let request = try completion(#"{"prompt":"","max_tokens":3,"min_tokens":4}"#)
        expectRefusal(param: "prompt", excerpt: "at least one token") { try generation(request, prompts: [[]]) }
        expectRefusal(param: "prompt[1]", excerpt: "at least one token") {
            try generation(completion(#"{"prompt":["a",""]}"#), prompts: [[1], []])
        }
        expectRefusal(param: "min_tokens", excerpt: "3, not 4") { try generation(request, prompts: [[1]]) }
    }
}

private func completion(_ text: String) throws -> CompletionRequest {
    try CompletionRequest(JSONValue(parsing: text), for: .sample)
}

private func chat(_ text: String) throws -> ChatCompletionRequest {
    try ChatCompletionRequest(JSONValue(parsing: text), for: .sample)
}

private func generation(
    _ request: CompletionRequest, prompts: [[Int32]], endpoint: Endpoint = .completions
) throws -> [GenerationRequest] {
    var generator = SystemRandomNumberGenerator()
    return try request.options.generationRequests(
        promptIDs: prompts, firstID: SequenceID(10), endpoint: endpoint, model: .sample, using: &generator)
}

private func expectRefusal<T>(
    param: String, excerpt: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> T
) {
    do {
        _ = try body()
        Issue.record("nothing was refused", sourceLocation: sourceLocation)
    } catch let error as APIError {
        #expect(error.param == param, sourceLocation: sourceLocation)
        #expect(error.message.contains(excerpt), "\(error.message)", sourceLocation: sourceLocation)
        #expect(error.status == .badRequest && error.type == "invalid_request_error", sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}
