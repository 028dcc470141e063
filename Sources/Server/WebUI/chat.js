"use strict";

// The conversation on the page, and the replies that are being written: at most one for each conversation. A reply continues
// while another conversation is shown.

const SAVE_INTERVAL = 2000;

const store = new ConversationStore();
const replies = new Map();
let current = null;
let views = [];
// Whether the page follows the end of the conversation: until the user scrolls up.
let isFollowing = true;
let lastTop = 0;

// Drafts that were not sent, by conversation; they survive a reload.
const drafts = new Map(Object.entries(parsed(stored(() => sessionStorage.getItem("drafts")) ?? "") ?? {}));

function setDraft(id, text) {
    if (text) drafts.set(id, text);
    else drafts.delete(id);
    stored(() => sessionStorage.setItem("drafts", JSON.stringify(Object.fromEntries(drafts))));
    if (id === current.id && element("text").value !== text) {
        element("text").value = text;
        fit(element("text"));
    }
}

// A reply that is being written.
class Reply {
    constructor(conversation, message) {
        Object.assign(this, { conversation, message });
        this.controller = new AbortController();
        this.began = performance.now();
        this.progress = null;
        this.view = null;
        this.isPlanned = false;
        this.cost = 0;  // The duration of the last rendering, in milliseconds.
        this.saved = this.began;
        this.clock = setInterval(() => this.showPhase(), 500);
    }

    heard(progress) {
        if (progress) this.progress = progress;
        this.plan();
        if (performance.now() - this.saved > SAVE_INTERVAL) {
            this.saved = performance.now();
            save(this.conversation);
        }
    }

    // Renders at most once per frame, and uses only a small part of the time.
    plan() {
        if (this.isPlanned) return;
        this.isPlanned = true;
        const draw = () => {
            this.isPlanned = false;
            if (replies.get(this.conversation.id) !== this) return;
            const begin = performance.now();
            this.draw();
            this.cost = performance.now() - begin;
        };
        if (document.hidden || this.cost > 8) setTimeout(draw, Math.max(this.cost * 4, document.hidden ? 250 : 0));
        else requestAnimationFrame(draw);
    }

    draw() {
        if (!this.view) return;
        this.showPhase();
        this.view.update();
        follow();
    }

    showPhase() {
        if (!this.view || !isEmpty(this.message)) return;
        const seconds = Math.floor((performance.now() - this.began) / 1000);
        const time = seconds < 2 ? "" : ` · ${seconds}\u00a0s`;
        let text = "Waiting for the first token", share = null;
        if (this.progress) {
            const { processed, total } = this.progress;
            text = `Reading the prompt: ${processed.toLocaleString("en")} of ${counted(total, "token")}`;
            share = processed / total;
        } else if (serverNow?.waiting > 0) {
            text = `In the queue: ${counted(serverNow.waiting, "request")} waiting`;
        }
        this.view.showPhase(text + time, share);
    }

    end() {
        clearInterval(this.clock);
        replies.delete(this.conversation.id);
    }
}

// MARK: Showing

// Shows the messages of the current conversation; views of messages that still exist are reused.
function showMessages() {
    const { messages } = current;
    const reply = replies.get(current.id);
    let kept = 0;
    while (kept < views.length && views[kept].message === messages[kept]) kept += 1;
    for (const view of views.splice(kept)) view.article.remove();
    const fragment = document.createDocumentFragment();
    for (const message of messages.slice(kept)) {
        const view = new MessageView(message, messageActions);
        views.push(view);
        if (message === reply?.message) view.article.ariaBusy = "true";
        else view.finish();
        fragment.append(view.article);
    }
    element("chat").append(fragment);
    if (reply) {
        reply.view = views.at(-1);
        reply.draw();
    } else if (messages.at(-1)?.tool_calls) {
        views.at(-1).askForResults();
    }
    element("chat").ariaBusy = String(Boolean(reply));
    setIcon(element("send"), reply ? "stop" : "send", reply ? "Stop" : "Send");
    document.title = current.messages.length ? `${titleOf(current)} – Trinity` : "Trinity";
    document.body.classList.toggle("empty", messages.length === 0);
    follow();
}

function follow() {
    const area = element("scroll");
    if (isFollowing) area.scrollTop = area.scrollHeight;
    element("to-end").hidden = isFollowing;
}

function followFromNow() {
    isFollowing = true;
    follow();
}

// Opens a conversation; without one, a new one.
function openConversation(conversation = null) {
    const former = replies.get(current?.id);
    if (former) former.view = null;
    current = conversation ?? newConversation(defaultSystem);
    stored(() => sessionStorage.setItem("current", current.id));
    element("system").value = current.system;
    element("chat").replaceChildren();
    views = [];
    closeNotice();
    showMessages();
    setDraft(current.id, drafts.get(current.id) ?? "");
    followFromNow();
    showList();
}

// MARK: Requests

function send() {
    const text = element("text").value;
    if (!text.trim() || replies.has(current.id)) return;
    const conversation = current;
    setDraft(conversation.id, "");
    const before = conversation.messages;
    conversation.messages = [...before, { role: "user", content: text }];
    // A message that the server does not answer is put back into the entry, before any text typed since.
    answer(conversation, before, () => setDraft(conversation.id, [text, drafts.get(conversation.id)].filter(Boolean).join("\n")));
}

// Streams a reply to the messages of a conversation. Without a reply, restores the messages `before` and calls `giveBack`.
async function answer(conversation, before, giveBack = () => {}) {
    closeNotice();
    const message = { role: "assistant", content: "" };
    const asked = conversation.messages;
    const reply = new Reply(conversation, message);
    replies.set(conversation.id, reply);
    conversation.messages = [...asked, message];
    conversation.updated = Date.now();
    save(conversation);
    if (conversation === current) {
        showMessages();
        followFromNow();
    }
    showList();
    try {
        const body = request({ ...conversation, messages: asked });
        await complete(body, message, reply.controller.signal, progress => reply.heard(progress));
    } catch (error) {
        const isStopped = reply.controller.signal.aborted;
        if (isStopped) message.note = "stopped";
        else message.fault = error.message;
        // An incomplete call is discarded.
        if (message.tool_calls?.some(call => parsed(call.function.arguments) === null)) delete message.tool_calls;
        if (isEmpty(message)) conversation.messages = before;
    }
    reply.end();
    if (reply.isForgotten) return;
    conversation.updated = Date.now();
    if (conversation.messages.length) save(conversation);
    else store.remove(conversation.id);
    const isAnswered = conversation.messages !== before;
    if (conversation === current) {
        reply.view.finish();
        showMessages();
    }
    if (!isAnswered) {
        giveBack();
        if (message.fault) {
            const place = conversation === current ? "" : `“${titleOf(conversation)}”: `;
            notify(place + message.fault, { isFault: true });
        }
    }
    say(message.fault ? "" : message.note === "stopped" ? "Stopped" : "The reply is complete");
    showList();
}

// The actions of a message of the current conversation.
const messageActions = {
    countBehind: message => current.messages.length - current.messages.indexOf(message) - 1,

    regenerate(message) {
        if (replies.has(current.id) || current.messages.at(-1) !== message) return;
        const before = current.messages;
        current.messages = before.slice(0, -1);
        answer(current, before);
        element("text").focus();
    },

    edited(message, text) {
        if (replies.has(current.id)) return;
        const conversation = current;
        const before = conversation.messages;
        const index = before.indexOf(message);
        const changed = { ...message, content: text };
        if (message.role === "user") {
            conversation.messages = [...before.slice(0, index), changed];
            answer(conversation, before, () => conversation === current && views[index].edit(text));
            element("text").focus();
        } else {
            conversation.messages = before.with(index, changed);
            save(conversation);
            showMessages();
        }
    },

    answerCalls(message, results) {
        if (replies.has(current.id)) return;
        const before = current.messages;
        const answers = results.map((content, index) => ({ role: "tool", content, tool_call_id: message.tool_calls[index].id }));
        views.at(-1).article.querySelector("form.results").remove();
        current.messages = [...before, ...answers];
        answer(current, before);
    },
};

// Stores a conversation in the browser, and shows a notice if that fails.
function save(conversation) {
    const wasSaved = !store.unsaved.has(conversation.id);
    if (!store.save(conversation) && wasSaved) {
        notify("This conversation is not kept: the browser's storage for this page is full or not allowed. "
            + "Delete conversations, or export this one before you close the page.", { isFault: true });
        showList();
    }
}

function stopReply() {
    replies.get(current.id)?.controller.abort();
}

// MARK: Keys and buttons

element("form").onsubmit = event => {
    event.preventDefault();
    if (replies.has(current.id)) stopReply();
    else send();
};
element("text").oninput = () => {
    fit(element("text"));
    setDraft(current.id, element("text").value);
};
element("text").onkeydown = event => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
};
document.addEventListener("keydown", event => {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || element("settings").open) return;
    if (closeSidebar()) return;
    stopReply();
});
element("scroll").onscroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = element("scroll");
    // Messages that become visible change the height too, but only a user scrolls up.
    if (scrollHeight - scrollTop - clientHeight < 24) isFollowing = true;
    else if (scrollTop < lastTop) isFollowing = false;
    lastTop = scrollTop;
    element("to-end").hidden = isFollowing;
};
element("to-end").onclick = followFromNow;
element("system").oninput = () => {
    current.system = defaultSystem = element("system").value;
    if (current.messages.length) save(current);
};
// Messages outside the viewport have estimated heights until they are rendered.
const resizes = new ResizeObserver(follow);
for (const id of ["scroll", "chat"]) resizes.observe(element(id));
// Closing the page stops its replies.
window.addEventListener("pagehide", () => {
    for (const { conversation, message } of replies.values()) {
        message.note = "stopped";
        store.save(conversation);
    }
});
