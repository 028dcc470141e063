import Testing

@testable import Hub

@Suite struct FileSelectionTests {
    private static let index =
        #"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}}"#

    private func select(_ model: String, _ names: [String], index: String = index) throws -> FileSelection {
        try FileSelection(of: #require(HubReference(model)), among: names) { Array(index.utf8) }
    }

    private func refusal(_ model: String, _ names: [String], index: String = index) throws -> String {
        try "\(#require(throws: HubError.self) { try select(model, names, index: index) })"
    }

    @Test func `weights in one file, and the files beside them`() throws {
        let names = [
            "README.md", "config.json", "generation_config.json", "hf_quant_config.json", "chat_template.jinja",
            "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model", "vocab.json",
            "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "onnx/config.json",
            "onnx/tokenizer.json", "consolidated.safetensors",
        ]
        let selection = try select("a/b", names)
        #expect(
            Set(selection.files) == [
                "config.json", "generation_config.json", "hf_quant_config.json", "chat_template.jinja",
                "tokenizer.json",
                "tokenizer_config.json", "special_tokens_map.json", "model.safetensors",
            ])
        #expect(selection.entry == nil && selection.files.count == 8)
    }

    @Test func `weights in several files are those of the index`() throws {
        let names = ["config.json", "m-1.safetensors", "m-2.safetensors", "m-3.safetensors", FileSelection.indexName]
        #expect(
            try Set(select("a/b", names).files)
                == ["config.json", "m-1.safetensors", "m-2.safetensors", FileSelection.indexName])
        #expect(try refusal("a/b", names.filter { $0 != "m-2.safetensors" }).contains("lacks m-2.safetensors"))
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"weight_map": {"a": 1}}"#, #"{"weight_map": {"a": "../x"}}"#,
        #"{"weight_map": {"a": "x/y"}}"#,
        #"{"weight_map": {"a": "/etc/passwd"}}"#, #"{"weight_map": {"a": ""}}"#,
    ])
    func `an index with anything but file names is refused`(index: String) throws {
        #expect(try refusal("a/b", ["config.json", FileSelection.indexName], index: index).contains("index"))
    }

    @Test func `an index names at most 4,096 files`() throws {
        let names = (0...4096).map { "\"\($0)\": \"\($0).safetensors\"" }.joined(separator: ",")
        let refusal = try refusal(
            "a/b", ["config.json", FileSelection.indexName] + (0...4096).map { "\($0).safetensors" },
            index: "{\"weight_map\": {\(names)}}")
        #expect(refusal.contains("names more than 4096 files"))
    }

    @Test func `a repository without weights is refused, and one with GGUF files lists them`() throws {
        #expect(try refusal("a/b", ["config.json", "pytorch_model.bin"]).contains("no weights in safetensors"))
        #expect(try refusal("a/b", ["model.safetensors"]).contains("no config.json"))
        #expect(try refusal("a/b", ["x-Q8_0.gguf", "x-Q4_K_M.gguf"]).contains("It has x-Q4_K_M, x-Q8_0"))
    }

    @Test func `a quantization is a whole word of the name of one GGUF file`() throws {
        let names = [
            "T-Q4_K_M.gguf", "T-Q4_K_S.gguf", "T-UD-Q4_K_XL.gguf", "T.Q8_0.gguf", "T-bf16.gguf", "mmproj-T-Q4_K_M.gguf",
            "T-Q4_K_M.imatrix.gguf", "config.json",
        ]
        for (word, file) in [
            ("Q4_K_M", "T-Q4_K_M.gguf"), ("q8_0", "T.Q8_0.gguf"), ("BF16", "T-bf16.gguf"),
            ("UD-Q4_K_XL", "T-UD-Q4_K_XL.gguf"), ("Q4_K_XL", "T-UD-Q4_K_XL.gguf"), ("T-Q4_K_S.gguf", "T-Q4_K_S.gguf"),
        ] {
            let selection = try select("a/b:\(word)", names)
            #expect(selection.files == [file] && selection.entry == file)
        }
        for word in ["Q4_K", "Q4", "4_K_M", "Q5_0"] {
            #expect(try refusal("a/b:\(word)", names).contains("no GGUF file for \(word). It has T-Q4_K_M,"))
        }
        #expect(try refusal("a/b:Q4_K_M", ["config.json"]).contains("no GGUF file at all"))
    }

    @Test func `two GGUF files with the same quantization are ambiguous`() throws {
        let names = ["a-Q4_0.gguf", "b-Q4_0.gguf"]
        #expect(try refusal("a/b:Q4_0", names).contains("several GGUF files for Q4_0: a-Q4_0, b-Q4_0"))
        #expect(try select("a/b:b-Q4_0", names).files == ["b-Q4_0.gguf"])
    }

    @Test func `of a quantization that is to be removed the parts that are there are found`() throws {
        func removable(_ quantization: String, _ names: [String]) throws(HubError) -> [String] {
            try FileSelection.removable(quantization, of: "a/b", among: names)
        }
        let names = [
            "Q4_0/T-Q4_0-00002-of-00003.gguf", "Q4_0/T-Q4_0-00003-of-00003.gguf", "T-Q8_0.gguf", "config.json",
        ]
        #expect(try removable("Q4_0", names) == Array(names[..<2]))
        #expect(try removable("q8_0", names) == ["T-Q8_0.gguf"])
        #expect(try removable("Q6_K", names).isEmpty)
        let error = try #require(throws: HubError.self) { try removable("Q8_0", names + ["b/T-Q8_0.gguf"]) }
        #expect(error.description.contains("several GGUF files for Q8_0"))
    }

    @Test func `GGUF files of several folders are listed with their folders`() throws {
        let names = ["a/T-Q4_0.gguf", "b/T-Q4_0.gguf", "T-Q8_0.gguf"]
        #expect(try refusal("a/b:Q4_0", names).contains("a/T-Q4_0, b/T-Q4_0"))
        #expect(try refusal("a/b", names).contains("T-Q8_0, a/T-Q4_0, b/T-Q4_0"))
    }

    @Test func `a split GGUF file needs all of its parts`() throws {
        let parts = (1...3).map { "Q4_0/T-Q4_0-0000\($0)-of-00003.gguf" }
        let selection = try select("a/b:Q4_0", parts.reversed() + ["Q8_0/T-Q8_0-00001-of-00002.gguf"])
        #expect(selection.files == parts && selection.entry == parts[0])
        for missing in parts {
            #expect(try refusal("a/b:Q4_0", parts.filter { $0 != missing }).contains("lacks parts"))
        }
        #expect(try refusal("a/b:Q8_0", ["T-Q8_0-00001-of-00000.gguf"]).contains("lacks parts"))
    }
}
