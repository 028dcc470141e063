"use strict";

// Helpers to create and find elements. Text is inserted as text, never as markup.

const element = id => document.getElementById(id);

// Creates an element, and appends it to `parent` if there is one.
function add(parent, tag, text = "", name = "") {
    const child = document.createElement(tag);
    if (text) child.textContent = text;
    if (name) child.className = name;
    parent?.append(child);
    return child;
}

// A button that shows only an icon, with its name for screen readers and as a tool tip.
function iconButton(icon, name, action = null) {
    const button = element("icon-button").content.firstElementChild.cloneNode(true);
    setIcon(button, icon, name);
    button.onclick = action;
    return button;
}

function setIcon(button, icon, name) {
    button.querySelector("use").setAttribute("href", "#i-" + icon);
    button.ariaLabel = button.title = name;
}

function textButton(parent, text, action, name = "plain") {
    const button = add(parent, "button", text, name);
    button.type = "button";
    button.onclick = action;
    return button;
}

// Copies text to the clipboard, and confirms it on the button.
async function copy(text, button) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // Browsers allow the clipboard only on HTTPS pages and localhost.
        const area = add(document.body, "textarea", text, "visually-hidden");
        area.select();
        document.execCommand("copy");
        area.remove();
        button.focus();
    }
    const name = button.dataset.name ??= button.ariaLabel;
    setIcon(button, "check", "Copied");
    say("Copied");
    setTimeout(() => setIcon(button, "copy", name), 1500);
}

// Announces a text to screen readers.
function say(text) {
    element("spoken").textContent = text;
}

// Shows a notice above the entry until it is closed or replaced, with at most one action.
function notify(text, { isFault = false, action = null, perform = null } = {}) {
    const notice = element("notice");
    notice.className = isFault ? "fault" : "";
    notice.replaceChildren();
    add(notice, "p", text);
    if (action) {
        textButton(notice, action, () => {
            closeNotice();
            perform();
        });
    }
    notice.append(iconButton("close", "Close the message", closeNotice));
    notice.hidden = false;
}

function closeNotice() {
    element("notice").hidden = true;
}

// Adjusts the height of a text area to its text; the style sheet limits it.
function fit(area) {
    area.style.height = "auto";
    area.style.height = area.scrollHeight + 2 + "px";
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
