"use strict";

// Markdown, second half: the text of a block to nodes. The subset: emphasis, strikethrough, code, links, autolinks, escapes and
// line breaks. Nothing is ever parsed as HTML: text becomes text nodes, and elements come from this file's fixed set. An image
// becomes a link, because the page loads nothing from other hosts.

// Emphasis nested deeper than this is text.
const MAXIMUM_NESTING = 12;
const MAXIMUM_URL = 2048;

// Appends the nodes of `text` to `parent`.
function inlines(parent, text) {
    new InlineParser(parent, text).run();
}

// The address if a link may have it, else null: http, https and mailto only, never scripts.
function safeAddress(text) {
    if (text.length > MAXIMUM_URL) return null;
    try {
        const url = new URL(text);
        return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
    } catch {
        return null;
    }
}

const isSpace = character => character === "" || /\s/u.test(character);
const isPunctuation = character => /[\p{P}\p{S}]/u.test(character);

// One pass over the text, as CommonMark's appendix describes it: marks are added to the parent as text and recorded. When the
// closing mark follows, the nodes between them are moved into an element.
class InlineParser {
    constructor(parent, text) {
        Object.assign(this, { parent, text, at: 0, pending: "" });
        this.marks = [];     // Marks of emphasis that may still be closed.
        this.brackets = [];  // Brackets that may still become links.
        this.nesting = new Map();
        this.ticks = null;
    }

    run() {
        const special = /[\\`*_~[\]!<\n]|https?:\/\//g;
        while (this.at < this.text.length) {
            special.lastIndex = this.at;
            const found = special.exec(this.text)?.index ?? this.text.length;
            this.append(this.text.slice(this.at, found));
            this.at = found;
            if (found < this.text.length) this.step(this.text[found]);
        }
        this.flush();
        this.emphasize(0);
    }

    // Parses a construct that begins with a special character; a character that begins none is text.
    step(character) {
        if (this.construct(character)) return;
        this.append(character);
        this.at += 1;
    }

    // Reads a construct, if one begins here.
    construct(character) {
        switch (character) {
        case "\\": return this.escape();
        case "`": return this.code();
        case "[": return this.openBracket("[");
        case "]": return this.closeBracket();
        case "!": return this.text[this.at + 1] === "[" && this.openBracket("![");
        case "<": return this.autolink();
        case "\n": return this.lineBreak();
        case "h": return this.bareLink();
        default: return this.mark(character);
        }
    }

    // Text is collected and becomes a node when something else follows: appending to a node is slow for long texts.
    append(text) {
        this.pending += text;
    }

    flush() {
        if (this.pending) this.parent.append(this.pending);
        this.pending = "";
    }

    appendNode(node) {
        this.flush();
        this.parent.append(node);
        return node;
    }

    appendElement(name, text) {
        const child = document.createElement(name);
        child.textContent = text;
        return this.appendNode(child);
    }

    escape() {
        const next = this.text[this.at + 1] ?? "";
        if (next === "\n") {
            this.at += 1;
            return this.lineBreak();
        }
        if (!/[!-/:-@[-`{-~]/.test(next)) return false;
        this.append(next);
        this.at += 2;
        return true;
    }

    lineBreak() {
        this.pending = this.pending.trimEnd();
        this.appendElement("br", "");
        this.at += 1;
        while (this.text[this.at] === " ") this.at += 1;
        return true;
    }

    // Code ends at the next run of as many backticks as it began with.
    code() {
        if (!this.ticks) {
            this.ticks = new Map();
            for (const { 0: run, index } of this.text.matchAll(/`+/g)) {
                if (!this.ticks.has(run.length)) this.ticks.set(run.length, []);
                this.ticks.get(run.length).push(index);
            }
            for (const places of this.ticks.values()) places.reverse();
        }
        let length = 1;
        while (this.text[this.at + length] === "`") length += 1;
        const begin = this.at + length;
        const places = this.ticks.get(length) ?? [];
        while (places.length > 0 && places.at(-1) < begin) places.pop();
        if (places.length === 0) {
            this.append("`".repeat(length));
            this.at = begin;
            return true;
        }
        const end = places.at(-1);
        const code = this.text.slice(begin, end).replaceAll("\n", " ");
        const isPadded = code.startsWith(" ") && code.endsWith(" ") && !isBlank(code);
        this.appendElement("code", isPadded ? code.slice(1, -1) : code);
        this.at = end + length;
        return true;
    }

    mark(character) {
        let end = this.at;
        while (this.text[end] === character) end += 1;
        const before = this.text[this.at - 1] ?? "";
        const after = this.text[end] ?? "";
        const isLeft = !isSpace(after) && (!isPunctuation(after) || isSpace(before) || isPunctuation(before));
        const isRight = !isSpace(before) && (!isPunctuation(before) || isSpace(after) || isPunctuation(after));
        const length = end - this.at;
        const node = this.appendNode(document.createTextNode(this.text.slice(this.at, end)));
        this.at = end;
        if (character === "~" && length !== 2) return true;
        const opens = isLeft && (character !== "_" || !isRight || isPunctuation(before));
        const closes = isRight && (character !== "_" || !isLeft || isPunctuation(after));
        if (opens || closes) this.marks.push({ character, node, length, whole: length, opens, closes });
        return true;
    }

    openBracket(text) {
        const node = this.appendNode(document.createTextNode(text));
        this.brackets.push({ node, isImage: text === "![", marks: this.marks.length, isActive: true });
        this.at += text.length;
        return true;
    }

    closeBracket() {
        const opener = this.brackets.pop();
        if (!opener?.isActive) return false;
        const target = this.target(this.at + 1);
        if (!target) return false;
        this.at = target.end;
        this.flush();
        this.emphasize(opener.marks);
        const address = safeAddress(target.address);
        const link = document.createElement(address ? "a" : "span");
        if (address) setAddress(link, address);
        this.nesting.set(link, this.moveBehind(opener.node, null, link));
        for (const inner of link.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
        if (!link.textContent) link.textContent = address ?? target.address;
        opener.node.replaceWith(link);
        // A link cannot contain a link, nor an image an image; a link may contain an image.
        for (const bracket of this.brackets) if (bracket.isImage || !opener.isImage) bracket.isActive = false;
        return true;
    }

    // The part in parentheses after a link's text: an address, and a title, which is dropped.
    target(begin) {
        if (this.text[begin] !== "(") return null;
        const rest = this.text.slice(begin, begin + MAXIMUM_URL);
        const match = /^\(\s{0,9}(?:<([^<>\n]*)>|((?:[^\s()<>\\]|\\.|\([^\s()]*\))*))(?:\s{1,9}(?:"[^"\n]*"|'[^'\n]*'))?\s{0,9}\)/
            .exec(rest);
        if (!match) return null;
        return { address: (match[1] ?? match[2]).replace(/\\([!-/:-@[-`{-~])/g, "$1"), end: begin + match[0].length };
    }

    autolink() {
        const match = /^<([a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^\s<>]*)>/.exec(this.text.slice(this.at, this.at + MAXIMUM_URL));
        const address = match && safeAddress(match[1]);
        if (!address) return false;
        setAddress(this.appendElement("a", match[1]), address);
        this.at += match[0].length;
        return true;
    }

    // An address in the text; punctuation at its end belongs to the sentence.
    bareLink() {
        const before = this.text[this.at - 1] ?? "";
        if (/\w/.test(before)) return false;
        let found = /^https?:\/\/[^\s<>"'`\\^{|}*[\]]+/.exec(this.text.slice(this.at, this.at + MAXIMUM_URL))?.[0] ?? "";
        let open = found.split("(").length - found.split(")").length;
        while (/[.,:;!?_~]$/.test(found) || found.endsWith(")") && open < 0) {
            if (found.endsWith(")")) open += 1;
            found = found.slice(0, -1);
        }
        const address = safeAddress(found);
        if (!address) return false;
        setAddress(this.appendElement("a", found), address);
        this.at += found.length;
        return true;
    }

    // Turns the marks from `bottom` on into elements, the inner ones first.
    emphasize(bottom) {
        // Lower bounds of the search for openers, by kind of closer: without them, every closer would search all marks.
        const floors = new Map();
        const open = [];
        for (const closer of this.marks.splice(bottom)) {
            while (closer.closes && closer.length > 0) {
                const kind = closer.character + closer.opens + closer.whole % 3;
                let at = open.length - 1;
                while (at >= (floors.get(kind) ?? 0) && !this.fit(open[at], closer)) at -= 1;
                if (at < (floors.get(kind) ?? 0)) {
                    floors.set(kind, open.length);
                    break;
                }
                const opener = open[at];
                open.length = at + 1;
                for (const [key, floor] of floors) floors.set(key, Math.min(floor, open.length));
                if (!this.wrap(opener, closer)) return;
                if (opener.length === 0) open.pop();
                for (const [key, floor] of floors) floors.set(key, Math.min(floor, open.length));
            }
            if (closer.opens && closer.length > 0) open.push(closer);
        }
    }

    // CommonMark's rule of three: `*a**b*` is not two emphases.
    fit(opener, closer) {
        return opener.character === closer.character
            && (opener.character === "~" || !(opener.closes || closer.opens) || (opener.whole + closer.whole) % 3 !== 0
                || opener.whole % 3 === 0 && closer.whole % 3 === 0);
    }

    // Moves the nodes between two marks into an element; false if it would be nested too deep.
    wrap(opener, closer) {
        const taken = opener.length >= 2 && closer.length >= 2 ? 2 : 1;
        const child = document.createElement(opener.character === "~" ? "del" : taken === 2 ? "strong" : "em");
        const nesting = this.moveBehind(opener.node, closer.node, child) + 1;
        this.nesting.set(child, nesting);
        opener.node.after(child);
        for (const mark of [opener, closer]) {
            mark.length -= taken;
            mark.node.data = mark.character.repeat(mark.length);
        }
        return nesting < MAXIMUM_NESTING;
    }

    // Moves the siblings between two nodes into `target`; returns their maximum nesting depth.
    moveBehind(begin, end, target) {
        let nesting = 0;
        while (begin.nextSibling !== end) {
            nesting = Math.max(nesting, this.nesting.get(begin.nextSibling) ?? 0);
            target.append(begin.nextSibling);
        }
        return nesting;
    }
}

// A link opens a new tab without an opener and without a referrer.
function setAddress(link, address) {
    link.href = address;
    link.title = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
}
