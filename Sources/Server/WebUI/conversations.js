"use strict";

// The conversations, kept in the browser's localStorage: one item for each, so that saving one writes only that. Data read
// from there or from a file is validated member by member.

const CONVERSATION_PREFIX = "trinity.conversation.";
// UTF-16 code units of all conversations together. Browsers give a site about five million.
const MAXIMUM_STORED = 4_000_000;
const MAXIMUM_CONVERSATIONS = 1000;
const MAXIMUM_FILE = 32_000_000;
const MAXIMUM_TITLE = 80;

class ConversationStore {
    constructor() {
        this.all = new Map();
        // Conversations that are not stored, because the storage is full or disabled.
        this.unsaved = new Set();
        this.sizes = new Map();
        for (const key of this.keys()) this.read(key.slice(CONVERSATION_PREFIX.length));
    }

    keys() {
        try {
            return Object.keys(localStorage).filter(key => key.startsWith(CONVERSATION_PREFIX));
        } catch {
            return [];
        }
    }

    // Reads a conversation from the storage, where another tab may have changed or removed it.
    read(id) {
        const text = localStorage.getItem(CONVERSATION_PREFIX + id);
        const conversation = text === null ? null : checkedConversation(parsed(text));
        if (conversation?.id === id) {
            this.all.set(id, conversation);
            this.sizes.set(id, text.length);
        } else {
            this.all.delete(id);
            this.sizes.delete(id);
        }
        return this.all.get(id) ?? null;
    }

    // The most recently changed first.
    get list() {
        return [...this.all.values()].sort((a, b) => b.updated - a.updated);
    }

    // Returns whether it could be stored. If not, it is kept in memory while the page is open.
    save(conversation) {
        const { id } = conversation;
        this.all.set(id, conversation);
        const text = JSON.stringify(exported(conversation));
        try {
            const others = [...this.sizes].reduce((sum, [key, size]) => key === id ? sum : sum + size, 0);
            if (others + text.length > MAXIMUM_STORED || this.all.size > MAXIMUM_CONVERSATIONS) throw new Error("full");
            localStorage.setItem(CONVERSATION_PREFIX + id, text);
            this.sizes.set(id, text.length);
            this.unsaved.delete(id);
            return true;
        } catch {
            this.unsaved.add(id);
            return false;
        }
    }

    remove(id) {
        this.all.delete(id);
        this.sizes.delete(id);
        this.unsaved.delete(id);
        try {
            localStorage.removeItem(CONVERSATION_PREFIX + id);
        } catch {
            // A disabled storage has nothing to remove.
        }
    }

    // Adds the conversations of a file, with new ids for duplicates, and returns them. Throws an error if the file is invalid.
    import(text) {
        const file = parsed(text);
        const values = Array.isArray(file?.conversations) ? file.conversations : Array.isArray(file?.messages) ? [file] : null;
        if (!values) throw new Error("This is no file of conversations.");
        const conversations = values.map(checkedConversation);
        const broken = conversations.findIndex(conversation => !conversation);
        if (broken >= 0) throw new Error(`Conversation ${broken + 1} of the file is broken. Nothing was imported.`);
        if (this.all.size + conversations.length > MAXIMUM_CONVERSATIONS) {
            throw new Error(`More than ${MAXIMUM_CONVERSATIONS} conversations. Nothing was imported.`);
        }
        for (const conversation of conversations) {
            if (this.all.has(conversation.id)) conversation.id = newID();
            this.save(conversation);
        }
        return conversations;
    }
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

// Also works over plain HTTP, where browsers have no randomUUID.
function newID() {
    return Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, "0")).join("");
}

function newConversation(system) {
    return { id: newID(), title: "", system, created: Date.now(), updated: Date.now(), messages: [] };
}

// The name of a conversation: its title, or else the beginning of its first message.
function titleOf(conversation) {
    const first = conversation.messages.find(message => message.role === "user")?.content ?? "";
    return conversation.title || first.trim().split("\n", 1)[0].slice(0, MAXIMUM_TITLE) || "New chat";
}

// The text of a file with conversations.
function conversationFile(conversations) {
    return JSON.stringify({ format: "trinity-conversations", version: 1, conversations: conversations.map(exported) }, null, 1);
}

// The stored form of a conversation, which `checkedConversation` reads. A reply that has not begun is not stored.
function exported({ id, title, system, created, updated, messages }) {
    const begun = messages.filter(message => message.role !== "assistant" || !isEmpty(message));
    return { id, title, system, created, updated, messages: begun };
}

const isEmpty = ({ content, reasoning, tool_calls: calls }) => !content && !reasoning && !calls;

// A conversation from JSON, with only known members of the right types; null if the JSON is not a conversation.
function checkedConversation(value) {
    if (!Array.isArray(value?.messages)) return null;
    const messages = value.messages.map(checkedMessage);
    if (messages.includes(null)) return null;
    const text = member => typeof member === "string" ? member : "";
    const time = member => Number.isFinite(member) ? Math.min(member, Date.now()) : Date.now();
    return {
        id: /^[0-9a-zA-Z-]{8,64}$/.test(value.id) ? value.id : newID(), title: text(value.title).slice(0, MAXIMUM_TITLE),
        system: text(value.system), created: time(value.created), updated: time(value.updated), messages,
    };
}

function checkedMessage(value) {
    if (!["user", "assistant", "tool"].includes(value?.role)) return null;
    if (typeof (value.content ?? "") !== "string") return null;
    const message = { role: value.role, content: value.content ?? "" };
    for (const name of ["reasoning", "note", "ignored", "fault", "tool_call_id"]) {
        if (typeof value[name] === "string") message[name] = value[name];
    }
    if (value.tool_calls !== undefined) {
        if (!Array.isArray(value.tool_calls)) return null;
        message.tool_calls = value.tool_calls.map(checkedCall);
        if (message.tool_calls.includes(null)) return null;
    }
    return message;
}

function checkedCall(value) {
    const { name, arguments: input } = value?.function ?? {};
    if (![value?.id, name, input].every(member => typeof member === "string")) return null;
    return { id: value.id, type: "function", function: { name, arguments: input } };
}
