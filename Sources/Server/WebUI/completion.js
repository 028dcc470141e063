"use strict";

// One request to `v1/chat/completions`, and its stream.

// The data of each server-sent event of a response (WHATWG HTML, 9.2).
async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) {
            const data = part.split("\n").filter(line => line.startsWith("data:")).map(line => line.slice(5).trim());
            if (data.length) yield data.join("\n");
        }
    }
}

// The body of a request that continues a conversation.
function request({ system, messages }) {
    const history = messages.map(({ role, content, reasoning, tool_calls, tool_call_id }) => ({
        role, content, ...(reasoning && { reasoning }), ...(tool_calls && { tool_calls }), ...(tool_call_id && { tool_call_id }),
    }));
    return {
        messages: [...(system.trim() ? [{ role: "system", content: system.trim() }] : []), ...history],
        stream: true, stream_options: { include_usage: true }, timings: true, return_progress: true, ...settingsOfRequest(),
    };
}

// Streams a reply into `message`. `heard` is called after each event, with the progress of the prompt if the event has it.
async function complete(body, message, signal, heard) {
    const response = await fetch("v1/chat/completions", {
        method: "POST", signal, body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...authorization() },
    }).catch(error => {
        throw error instanceof TypeError ? new Error("The server does not answer.") : error;
    });
    if (!response.ok) {
        const body = await response.json().catch(() => null);
        throw new Error(body?.error?.message ?? `The server answered ${response.status}.`);
    }
    const ignored = response.headers.get("x-ignored");
    if (ignored) message.ignored = ignored;
    let usage = null, timings = null, reason = null;
    for await (const data of events(response)) {
        if (data === "[DONE]") break;
        const chunk = JSON.parse(data);
        if (chunk.error) throw new Error(chunk.error.message);
        usage = chunk.usage ?? usage;
        timings = chunk.timings ?? timings;
        const choice = chunk.choices?.[0];
        if (choice) receive(choice.delta, message);
        reason = choice?.finish_reason ?? reason;
        heard(chunk.prompt_progress ?? null);
    }
    if (!reason) throw new Error("The reply ended early.");
    message.note = describe(usage, timings, reason);
}

// Adds the content of one chunk to the message.
function receive({ content, reasoning, tool_calls: calls }, message) {
    if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
    if (content) message.content += content;
    for (const { index, id, function: called } of calls ?? []) {
        message.tool_calls ??= [];
        const call = message.tool_calls[index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
        if (id) call.id = id;
        if (called?.name) call.function.name = called.name;
        call.function.arguments += called?.arguments ?? "";
    }
}

// The notice for a reply that ended.
function describe(usage, timings, reason) {
    const parts = [];
    if (usage) {
        const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
        parts.push(`${usage.prompt_tokens} prompt tokens, ${cached} from cache`, `${usage.completion_tokens} generated`);
    }
    if (timings?.predicted_per_second) parts.push(`${timings.predicted_per_second.toFixed(1)} tokens/s`);
    if (reason === "length") parts.push("cut off at the token limit");
    return parts.join(" · ");
}
