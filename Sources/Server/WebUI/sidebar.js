"use strict";

// The list of conversations: open, rename, delete, export and import.

// The conversation that is being renamed.
let renamed = null;

function showList() {
    const focused = document.activeElement?.closest("#conversations button.title")?.dataset.id;
    const list = element("conversations");
    list.replaceChildren(...store.list.map(listEntry));
    if (focused) list.querySelector(`[data-id="${focused}"]`)?.focus();
}

function listEntry(conversation) {
    const item = add(null, "li");
    const { id } = conversation;
    if (renamed === id) {
        item.append(renameForm(conversation));
        return item;
    }
    const title = textButton(item, titleOf(conversation), () => {
        openConversation(conversation);
        closeSidebar();
        element("text").focus();
    }, "title");
    title.dataset.id = id;
    title.title = titleOf(conversation);
    if (replies.has(id)) add(title, "span", "", "dots").ariaLabel = "is being answered";
    if (store.unsaved.has(id)) add(title, "span", " (not kept)", "fault");
    if (id !== current.id) return item;
    title.ariaCurrent = "true";
    const bar = add(item, "div", "", "bar small");
    textButton(bar, "Rename", () => renameConversation(id));
    textButton(bar, "Export", () => exportConversations([conversation], titleOf(conversation)));
    textButton(bar, "Delete", () => removeConversation(conversation));
    return item;
}

function renameConversation(id) {
    renamed = id;
    showList();
    element("conversations").querySelector("input")?.select();
}

function renameForm(conversation) {
    const form = add(null, "form");
    const input = add(form, "input");
    Object.assign(input, { value: titleOf(conversation), maxLength: MAXIMUM_TITLE, ariaLabel: "New title" });
    const close = title => {
        if (renamed === null) return;
        renamed = null;
        if (title) {
            conversation.title = title;
            save(conversation);
        }
        if (conversation === current) showMessages();
        showList();
        element("conversations").querySelector(`[data-id="${conversation.id}"]`)?.focus();
    };
    form.onsubmit = event => {
        event.preventDefault();
        close(input.value.trim());
    };
    input.onblur = () => close(input.value.trim());
    input.onkeydown = event => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        close(null);
    };
    return form;
}

function removeConversation(conversation) {
    const reply = replies.get(conversation.id);
    if (reply) {
        reply.isForgotten = true;
        reply.controller.abort();
        reply.end();
        conversation.messages = conversation.messages.slice(0, -1);
    }
    store.remove(conversation.id);
    openConversation();
    element("text").focus();
    notify(`“${titleOf(conversation)}” is deleted.`, {
        action: "Undo",
        perform: () => {
            save(conversation);
            openConversation(conversation);
        },
    });
}

function exportConversations(conversations, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([conversationFile(conversations)], { type: "application/json" }));
    link.download = name.replace(/[^\p{L}\p{N} _-]+/gu, "").trim().slice(0, 60) + ".json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function importFile(file) {
    try {
        if (file.size > MAXIMUM_FILE) throw new Error("The file is too large.");
        const imported = store.import(await file.text());
        const unsaved = imported.filter(({ id }) => store.unsaved.has(id)).length;
        notify(`${counted(imported.length, "conversation")} imported.`
            + (unsaved ? ` ${unsaved} of them will not be kept: the browser's storage is full.` : ""), { isFault: unsaved > 0 });
    } catch (error) {
        notify(error.message, { isFault: true });
    }
    closeSidebar();
    showList();
}

// MARK: On narrow screens the list overlays the page

function openSidebar() {
    document.body.classList.add("listing");
    element("page").inert = true;
    element("shade").hidden = false;
    element("sidebar-open").ariaExpanded = "true";
    element("sidebar-close").focus();
}

// Returns whether it was open.
function closeSidebar() {
    if (!document.body.classList.contains("listing")) return false;
    document.body.classList.remove("listing");
    element("page").inert = false;
    element("shade").hidden = true;
    element("sidebar-open").ariaExpanded = "false";
    element("sidebar-open").focus();
    return true;
}

element("sidebar-open").onclick = openSidebar;
element("sidebar-close").onclick = closeSidebar;
element("shade").onclick = closeSidebar;
matchMedia("(min-width: 56rem)").addEventListener("change", closeSidebar);
element("clear").onclick = () => {
    openConversation();
    closeSidebar();
    element("text").focus();
};
element("export-all").onclick = () => exportConversations(store.list, "Trinity conversations");
element("import").onclick = () => element("import-file").click();
element("import-file").onchange = async () => {
    const [file] = element("import-file").files;
    if (file) await importFile(file);
    element("import-file").value = "";
};
// A conversation changed in another tab.
window.addEventListener("storage", event => {
    if (!event.key?.startsWith(CONVERSATION_PREFIX)) return;
    const id = event.key.slice(CONVERSATION_PREFIX.length);
    if (replies.has(id) || renamed) return;
    const changed = store.read(id);
    if (changed && id === current.id && !document.querySelector("form.editor")) openConversation(changed);
    else showList();
});
openConversation(store.all.get(stored(() => sessionStorage.getItem("current"))));
