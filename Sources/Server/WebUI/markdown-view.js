"use strict";

// A growing Markdown text on the page. Blocks that cannot change any more are kept; only the last one is rendered again, so
// the cost of a token does not grow with the reply.
class MarkdownView {
    constructor(parent) {
        this.parent = parent;
        this.settled = 0;  // The position in the text where the last block begins.
        this.tail = [];    // The nodes of that block.
        this.code = null;  // The last block, if it is unfinished code.
    }

    // Shows `text`, which begins with what was shown before.
    update(text) {
        const clean = text.replace(/\r\n?/g, "\n");
        const lines = clean.slice(this.settled).split("\n");
        const found = blocks(lines.map(line => line.replace(/^[ \t]+/, space => space.replaceAll("\t", "    "))));
        // The first line determines the kind of a block, the first two for a table; the last line of the text may be unfinished.
        const settled = found.findLastIndex(block => block.start + 2 < lines.length);
        const last = found.at(-1);
        if (settled <= 0 && found.length === 1 && last.kind === "fence" && this.code?.language === last.language) {
            this.code.node.data = last.code;
            return;
        }
        for (const node of this.tail) node.remove();
        this.tail = [];
        this.code = null;
        found.forEach((block, index) => {
            const node = blockNode(block);
            this.parent.append(node);
            if (index >= settled) this.tail.push(node);
        });
        if (settled > 0) this.settled += lines.slice(0, found[settled].start).reduce((sum, line) => sum + line.length + 1, 0);
        if (last?.kind === "fence" && this.tail.length === 1) {
            const code = this.tail[0].querySelector("code");
            if (!code.firstChild) code.append(document.createTextNode(""));
            this.code = { language: last.language, node: code.firstChild };
        }
    }
}

// The element of one block.
function blockNode(block) {
    switch (block.kind) {
    case "fence": return codeNode(block.language, block.code);
    case "rule": return document.createElement("hr");
    case "quote": return fill(document.createElement("blockquote"), block.blocks);
    case "list": return listNode(block);
    case "table": return tableNode(block);
    case "heading": {
        // Headings of a reply are below those of the page.
        const node = document.createElement("h" + Math.min(block.level + 2, 6));
        node.className = "level-" + block.level;
        inlines(node, block.text);
        return node;
    }
    default: {
        const node = document.createElement("p");
        inlines(node, block.text);
        return node;
    }
    }
}

function fill(node, children) {
    node.append(...children.map(blockNode));
    return node;
}

function codeNode(language, code) {
    const node = add(null, "div", "", "code");
    const bar = add(node, "div", "", "bar");
    add(bar, "span", language.slice(0, 40) || "text");
    const button = iconButton("copy", "Copy the code");
    const pre = add(node, "pre");
    pre.tabIndex = 0;
    add(pre, "code", code);
    button.onclick = () => copy(pre.textContent, button);
    bar.append(button);
    return node;
}

function listNode({ number, isLoose, items }) {
    const node = document.createElement(number === null ? "ul" : "ol");
    if (number !== null && number !== 1) node.start = number;
    for (const item of items) {
        const child = add(node, "li");
        if (item.checked !== null) {
            child.className = "task";
            const box = add(child, "input");
            Object.assign(box, { type: "checkbox", checked: item.checked, disabled: true });
        }
        for (const block of item.blocks) {
            if (block.kind === "paragraph" && !isLoose) inlines(child, block.text);
            else child.append(blockNode(block));
        }
    }
    return node;
}

function tableNode({ alignments, names, rows }) {
    // Wide tables scroll independently.
    const node = add(null, "div", "", "table");
    node.tabIndex = 0;
    node.role = "region";
    node.ariaLabel = "Table";
    const table = add(node, "table");
    const line = (parent, name, texts) => {
        const row = add(parent, "tr");
        texts.forEach((text, column) => {
            const cell = add(row, name, "", alignments[column]);
            if (name === "th") cell.scope = "col";
            inlines(cell, text);
        });
    };
    line(add(table, "thead"), "th", names);
    const body = add(table, "tbody");
    for (const row of rows) line(body, "td", row);
    return node;
}
