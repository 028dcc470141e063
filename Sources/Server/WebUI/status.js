"use strict";

// The state of the server: its model, and its metrics each second.

// The state that the other parts of the page use.
let serverNow = null;

// The samples of Prometheus's text format, those of one name added up.
function sums(text) {
    const result = new Map();
    for (const line of text.split("\n")) {
        const sample = /^([^#{ ][^{ ]*)(?:\{.*\})? ([^ ]+)/.exec(line);
        if (sample) result.set(sample[1], (result.get(sample[1]) ?? 0) + Number(sample[2]));
    }
    return result;
}

const figures = ["generated", "prompted", "running", "waiting", "cache", "hits"];
let lastSample = null;
const trace = [];

async function watch() {
    try {
        const response = await fetch("metrics", { headers: authorization() });
        if (!response.ok) throw new Error(response.status === 401 ? "asks for a key" : `answers ${response.status}`);
        const now = { time: performance.now(), values: sums(await response.text()) };
        const value = name => now.values.get("vllm:" + name) ?? 0;
        const change = name => lastSample ? value(name) - (lastSample.values.get("vllm:" + name) ?? 0) : 0;
        const rate = name => lastSample ? change(name) / (now.time - lastSample.time) * 1000 : 0;
        const queries = value("prefix_cache_queries_total");
        const generated = rate("generation_tokens_total");
        serverNow = { running: value("num_requests_running"), waiting: value("num_requests_waiting") };
        showFigures({
            generated: generated.toFixed(1), prompted: rate("prompt_tokens_total").toFixed(1), ...serverNow,
            cache: (value("kv_cache_usage_perc") * 100).toFixed(1) + " %",
            hits: queries ? (value("prefix_cache_hits_total") / queries * 100).toFixed(0) + " %" : "–",
        });
        trace.push(generated);
        if (trace.length > 60) trace.shift();
        const most = Math.max(...trace, 1);
        element("trace").setAttribute("points", trace.map((rate, x) => `${x},${19 - rate / most * 18}`).join(" "));
        lastSample = now;
        element("status").title = "";
    } catch (error) {
        lastSample = serverNow = null;
        // After a failure, a different server may answer.
        if (error instanceof TypeError) isNamed = false;
        element("status").title = "/metrics " + error.message;
        showFigures({});
    }
}

function showFigures(texts) {
    for (const id of figures) element(id).textContent = texts[id] ?? "–";
    const { generated, running, waiting } = texts;
    element("status-speed").textContent = generated === undefined ? "no metrics" : `${generated} tokens/s`;
    element("status-more").textContent = generated === undefined ? "" : ` · ${running} running · ${waiting} waiting`;
}

let isNamed = false;
// The rejected key, which is not tried again.
let refusedKey = null;

async function nameModel() {
    try {
        const response = await fetch("v1/models", { headers: authorization() });
        const body = await response.json();
        isNamed = response.ok;
        element("model").textContent = isNamed ? body.data[0].id
            : response.status === 503 ? "Loading…" : body.error.message;
        if (response.status === 401) {
            refusedKey = element("key").value;
            element("key").placeholder = refusedKey ? "Another one" : "The server asks for one";
            openSettings("key");
        }
    } catch {
        isNamed = false;
        element("model").textContent = "does not answer";
    }
}

async function tick() {
    // A hidden page sends no requests.
    if (!document.hidden) {
        if (!isNamed && refusedKey !== element("key").value) await nameModel();
        await watch();
    }
    setTimeout(tick, 1000);
}

function showStatus(isShown) {
    element("status").hidden = !isShown;
    element("status-toggle").ariaExpanded = String(isShown);
}

element("status-toggle").onclick = () => showStatus(element("status").hidden);
// On small screens the figures are one line.
const hasRoom = matchMedia("(min-width: 64rem) and (min-height: 44rem)");
hasRoom.addEventListener("change", () => showStatus(hasRoom.matches));
showStatus(hasRoom.matches);
tick();
