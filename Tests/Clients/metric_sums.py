"""What must be equal among the numbers of `/metrics` when nothing runs, whatever clients did before."""


def check(samples):
    """Fails where sums do not agree in `samples`, those of a server or what they grew by; a few numbers of interest."""
    def total(name):
        return sum(value for (sample, _), value in samples.items() if sample == name)

    finished = {
        dict(labels)["finished_reason"]: value
        for (name, labels), value in samples.items() if name == "vllm:request_success_total"
    }
    accepted = total("trinity_accepted_choices_total")
    assert sum(finished.values()) == accepted
    # One observation a choice that ended...
    for name in ["e2e_request_latency_seconds", "request_prompt_tokens", "request_generation_tokens",
                 "request_prefill_kv_computed_tokens", "request_num_preemptions", "request_params_max_tokens"]:
        assert total(f"vllm:{name}_count") == accepted, name
    # ...or that was started...
    started = total("vllm:request_queue_time_seconds_count")
    assert started == total("vllm:request_inference_time_seconds_count") <= accepted
    # ...or that has a token.
    spoke = total("vllm:time_to_first_token_seconds_count")
    assert spoke == total("vllm:request_prefill_time_seconds_count") == total("vllm:request_decode_time_seconds_count")
    assert finished["stop"] + finished["length"] <= spoke <= started
    # Every token belongs to a choice, and comes after another or is its first.
    tokens = total("vllm:generation_tokens_total")
    assert tokens == total("vllm:request_generation_tokens_sum")
    assert tokens == spoke + total("vllm:inter_token_latency_seconds_count")
    assert total("vllm:iteration_tokens_total_count") == total("trinity_engine_steps_total")
    return finished | {
        "accepted": accepted, "rejections": total("vllm:admission_rejections_total"),
        "wasted": total("trinity_wasted_tokens_total")}


def check_nothing_held(samples):
    """Blocks are free or cached when nobody holds them."""
    states = {
        dict(labels)["state"]: value for (name, labels), value in samples.items() if name == "trinity_kv_cache_blocks"}
    assert states["global"] == states["sliding"] == 0
