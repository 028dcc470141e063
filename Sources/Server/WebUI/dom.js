"use strict";

// What all of the page uses to make and find elements. Text goes in as text, never as markup.

const element = id => document.getElementById(id);

// Makes an element, as the last one of `parent` if there is one.
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

// Puts text on the clipboard, and shows on the button that it did.
async function copy(text, button) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // Browsers offer the clipboard only to encrypted pages and on the server's own machine.
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

// Tells screen readers.
function say(text) {
    element("spoken").textContent = text;
}

// Shows a message above the entry until it is closed or replaced, with one action at most.
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

// Makes a text area as high as its text; the style sheet has the bounds.
function fit(area) {
    area.style.height = "auto";
    area.style.height = area.scrollHeight + 2 + "px";
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
