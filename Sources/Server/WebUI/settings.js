"use strict";

// The settings: one field for each parameter of the API that makes sense for a chat. An empty field is not sent, so
// the default of the model applies. The browser stores the settings; the API key only until the tab is closed.

const SETTINGS_KEY = "trinity.settings";

// Functions that convert the text of a field into a value of the request.
const fieldValues = {
    number: text => Number(text),
    flag: text => text === "true",
    text: text => text,
    choice: text => text,
    lines: text => text.split("\n").filter(line => line),
    numbers: text => text.split(/[\s,]+/).filter(word => word).map(Number),
    json: text => JSON.parse(text),
};

const settingGroups = [
    ["Sampling", [
        ["temperature", "Temperature", "number", { min: 0, max: 2 }],
        ["top_p", "Top p", "number", { min: 0, max: 1 }],
        ["top_k", "Top k", "number", { min: -1, step: 1 }],
        ["min_p", "Min p", "number", { min: 0, max: 1 }],
        ["presence_penalty", "Presence penalty", "number", { min: -2, max: 2 }],
        ["frequency_penalty", "Frequency penalty", "number", { min: -2, max: 2 }],
        ["repetition_penalty", "Repetition penalty", "number", { min: 0.01, max: 100 }],
        ["seed", "Seed", "number", { step: 1, placeholder: "random" }],
        ["logit_bias", "Logit bias", "json", { placeholder: "{\"42\": -100}" }],
        ["bad_words", "Bad words, one a line", "lines"],
        ["allowed_token_ids", "Allowed token ids", "numbers"],
    ]],
    ["Length and end", [
        ["max_completion_tokens", "Most tokens of a reply", "number", { min: 1, step: 1, placeholder: "as many as fit" }],
        ["min_tokens", "Fewest tokens", "number", { min: 0, step: 1 }],
        ["stop", "Stop strings, one a line", "lines"],
        ["stop_token_ids", "Stop token ids", "numbers"],
        ["ignore_eos", "Ignore the end of sequence", "flag"],
        ["include_stop_str_in_output", "Keep the stop string", "flag"],
        ["skip_special_tokens", "Hide special tokens", "flag"],
        ["truncate_prompt_tokens", "Most tokens of the prompt", "number", { min: -1, step: 1 }],
    ]],
    ["Reasoning", [
        ["reasoning_effort", "Reasoning effort", "choice", { options: ["none", "minimal", "low", "medium", "high", "xhigh"] }],
        ["thinking_token_budget", "Most tokens of reasoning", "number", { min: 0, step: 1 }],
        ["include_reasoning", "Show reasoning", "flag"],
        ["chat_template_kwargs", "Variables of the chat template", "json", { placeholder: "{\"enable_thinking\": false}" }],
    ]],
    ["Tools and form of the answer", [
        ["tools", "Tools, as the API takes them", "json",
            { placeholder: "[{\"type\": \"function\", \"function\": {…}}]", rows: 4, isWhole: true }],
        ["tool_choice", "Tool choice", "choice", { options: ["auto", "none", "required"] }],
        ["parallel_tool_calls", "Several calls at once", "flag"],
        ["response_format", "Response format", "json", { placeholder: "{\"type\": \"json_object\"}", rows: 3, isWhole: true }],
        ["structured_outputs", "Structured output", "json", { placeholder: "{\"regex\": \"[0-9]+\"}", rows: 3, isWhole: true }],
    ]],
    ["Scheduling", [
        ["priority", "Priority", "number", { min: -100, max: 100, step: 1 }],
        ["timeout", "Deadline in seconds", "number", { min: 0, max: 86400 }],
        ["speculative", "Speculative decoding", "flag"],
        ["cache_salt", "Cache salt", "text"],
    ]],
    ["Everything else", [
        ["other", "Other members of the request", "json", { placeholder: "{\"documents\": []}", rows: 3, isWhole: true }],
    ]],
];

const settingFields = settingGroups.flatMap(([, fields]) => fields);
// Known defaults are shown as placeholders of the fields.
const defaultHint = "default";

function makeField(parent, [name, label, kind, options = {}]) {
    const field = add(parent, "label", label + " ");
    if (options.isWhole) field.className = "whole";
    const choices = kind === "flag" ? ["true", "false"] : options.options;
    const input = add(field, choices ? "select" : kind === "json" || kind === "lines" ? "textarea" : "input");
    input.id = name;
    if (choices) {
        for (const value of ["", ...choices]) {
            const text = { "": defaultHint, true: "yes", false: "no" }[value] ?? value;
            add(input, "option", text).value = value;
        }
    } else if (kind === "number") {
        const { min, max, step = "any" } = options;
        Object.assign(input, { type: "number", min: min ?? "", max: max ?? "", step });
    } else if (input.tagName === "TEXTAREA") {
        input.rows = options.rows ?? 2;
        input.spellcheck = false;
    }
    if (!choices) input.placeholder = options.placeholder ?? (kind === "number" ? defaultHint : "None");
}

function makeSettings() {
    for (const [title, fields] of settingGroups) {
        const group = add(element("fields"), "fieldset");
        add(group, "legend", title);
        for (const field of fields) makeField(group, field);
    }
}

// The parameters that the settings add to a request; throws if a field is not valid JSON.
function settingsOfRequest() {
    const body = {};
    for (const [name, label, kind] of settingFields) {
        const text = kind === "text" ? element(name).value : element(name).value.trim();
        if (!text) continue;
        try {
            const value = fieldValues[kind](text);
            if (name === "other") Object.assign(body, value);
            else body[name] = value;
        } catch (error) {
            throw new Error(`The setting “${label}” is no JSON: ${error.message}`);
        }
    }
    return body;
}

const keptFields = ["appearance", ...settingFields.map(([name]) => name)];
// The system prompt of new conversations: the last one that was entered.
let defaultSystem = "";

function loadSettings() {
    const saved = parsed(stored(() => localStorage.getItem(SETTINGS_KEY)) ?? "");
    const value = name => typeof saved?.[name] === "string" ? saved[name] : "";
    for (const name of keptFields) element(name).value = value(name);
    defaultSystem = value("system");
    element("key").value = stored(() => sessionStorage.getItem("key")) ?? "";
    showAppearance();
}

function saveSettings() {
    const values = [["system", defaultSystem], ...keptFields.map(name => [name, element(name).value])];
    stored(() => localStorage.setItem(SETTINGS_KEY, JSON.stringify(Object.fromEntries(values.filter(([, value]) => value)))));
    stored(() => sessionStorage.setItem("key", element("key").value));
    showAppearance();
}

// If the browser disables storage, the result is null.
function stored(access) {
    try {
        return access();
    } catch {
        return null;
    }
}

function showAppearance() {
    document.documentElement.style.colorScheme = element("appearance").value;
}

function authorization() {
    const key = element("key").value.trim();
    return key ? { Authorization: "Bearer " + key } : {};
}

function openSettings(focused = "system") {
    if (!element("settings").open) element("settings").showModal();
    element(focused).focus();
}

makeSettings();
loadSettings();
element("settings-open").onclick = () => openSettings();
element("settings").onchange = saveSettings;
// A click outside the dialog closes it.
element("settings").onclick = event => {
    if (event.target === element("settings")) element("settings").close();
};
element("reset").onclick = () => {
    for (const [name] of settingFields) element(name).value = "";
    saveSettings();
    say("The settings are those of the model again.");
};
