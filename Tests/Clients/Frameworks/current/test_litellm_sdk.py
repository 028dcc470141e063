"""litellm as a library: a tool loop whose assistant message goes back whole, with reasoning and what litellm adds."""

import litellm

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "Get the weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def settings(base_url):
    return {
        "model": "openai/trinity-tiny", "api_base": base_url, "api_key": "none", "max_tokens": 80, "temperature": 0,
        "max_retries": 0}


def test_a_tool_loop(base_url):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    message = litellm.completion(messages=messages, tools=[WEATHER], **settings(base_url)).choices[0].message
    messages += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rainy"}]
    assert "rain" in litellm.completion(messages=messages, tools=[WEATHER], **settings(base_url)).choices[0].message.content


def test_reasoning_survives_a_round_trip(base_url):
    messages = [{"role": "user", "content": "What is 12 + 30?"}]
    message = litellm.completion(messages=messages, **settings(base_url)).choices[0].message
    assert message.reasoning_content
    tokens = litellm.completion(
        messages=[*messages, message, *messages], **settings(base_url)).usage.prompt_tokens
    bare = {"role": "assistant", "content": message.content}
    assert tokens > litellm.completion(messages=[*messages, bare, *messages], **settings(base_url)).usage.prompt_tokens


def test_the_responses_bridge(base_url):
    reply = litellm.responses(
        model="openai/trinity-tiny", api_base=base_url, api_key="none", input="What is 12 + 30?", temperature=0,
        max_output_tokens=80)
    assert "42" in reply.output_text
