"use strict";

// Markdown, first half: lines to blocks. The subset: headings, paragraphs, fenced code, quotes, lists, task lists, tables and
// rules, as CommonMark and GitHub define them. HTML, indented code and underlined headings are text. A line break inside a
// paragraph is kept. Every rule reads each line a bounded number of times, so no input is slow.

// Quotes and lists deeper than this are text.
const MAXIMUM_DEPTH = 10;

// The blocks of `lines`, each with its kind, the lines [start, end) that it covers, and its content.
function blocks(lines, depth = 0) {
    const result = [];
    for (let at = 0; at < lines.length;) {
        if (isBlank(lines[at])) {
            at += 1;
            continue;
        }
        const block = fence(lines, at) ?? heading(lines, at) ?? rule(lines, at) ?? quote(lines, at, depth)
            ?? list(lines, at, depth) ?? table(lines, at) ?? paragraph(lines, at, depth);
        result.push({ ...block, start: at });
        at = block.end;
    }
    return result;
}

const isBlank = line => !/\S/.test(line);
const indent = line => line.search(/\S|$/);

// A line without up to `count` spaces of indentation.
const outdent = (line, count) => line.slice(Math.min(indent(line), count));

// Code between fences; the language is the first word behind the opening one. Without a closing fence it runs to the end.
function fence(lines, at) {
    const opening = /^( {0,3})(`{3,}|~{3,})([^\n]*)$/.exec(lines[at]);
    if (!opening || opening[2][0] === "`" && opening[3].includes("`")) return null;
    const [, space, marks, info] = opening;
    let end = at + 1;
    for (; end < lines.length; end += 1) {
        const line = lines[end].trim();
        if (indent(lines[end]) < 4 && line.length >= marks.length && line === marks[0].repeat(line.length)) break;
    }
    const code = lines.slice(at + 1, end).map(line => outdent(line, space.length)).join("\n");
    return { kind: "fence", language: info.trim().split(/\s/, 1)[0], code, end: Math.min(end + 1, lines.length) };
}

function heading(lines, at) {
    const marks = /^ {0,3}(#{1,6})(?=\s|$)/.exec(lines[at]);
    if (!marks) return null;
    const text = lines[at].slice(marks[0].length).trim();
    let length = text.length;
    while (text[length - 1] === "#") length -= 1;
    // Closing marks follow a space.
    if (length > 0 && text[length - 1] !== " ") length = text.length;
    return { kind: "heading", level: marks[1].length, text: text.slice(0, length).trim(), end: at + 1 };
}

const isRule = line => /^ {0,3}([-*_])(?: *\1){2,} *$/.test(line);

function rule(lines, at) {
    return isRule(lines[at]) ? { kind: "rule", end: at + 1 } : null;
}

const quoteMark = /^ {0,3}> ?/;

function quote(lines, at, depth) {
    if (depth === MAXIMUM_DEPTH) return null;
    let end = at;
    while (end < lines.length && quoteMark.test(lines[end])) end += 1;
    if (end === at) return null;
    return { kind: "quote", blocks: blocks(lines.slice(at, end).map(line => line.replace(quoteMark, "")), depth + 1), end };
}

// The marker of a list item: its column, its kind, its number, and the column of the content.
function marker(line) {
    const match = /^( {0,3})(?:([-*+])|(\d{1,9})([.)]))( +|$)/.exec(line);
    if (!match || isRule(line)) return null;
    const [whole, space, bullet, number, delimiter, gap] = match;
    const column = space.length;
    // Code may begin with spaces, so the gap is at most four.
    const content = gap.length > 4 || gap.length === 0 ? whole.length - gap.length + 1 : whole.length;
    return { column, content, type: bullet ?? delimiter, number: number === undefined ? null : Number(number) };
}

function list(lines, at, depth) {
    const first = depth === MAXIMUM_DEPTH ? null : marker(lines[at]);
    if (!first) return null;
    const items = [];
    let isLoose = false;
    let end = at;
    for (let next = first; next; next = end < lines.length ? marker(lines[end]) : null) {
        if (next.type !== first.type) break;
        const item = listItem(lines, end, next);
        isLoose ||= items.length > 0 && isBlank(lines[end - 1]);
        const children = blocks(item.lines, depth + 1);
        isLoose ||= children.some((child, index) => index > 0 && isBlank(item.lines[child.start - 1]));
        items.push({ blocks: children, checked: item.checked });
        end = item.end;
        while (end < lines.length && isBlank(lines[end])) end += 1;
    }
    while (isBlank(lines[end - 1])) end -= 1;
    return { kind: "list", start: at, number: first.number, isLoose, items, end };
}

// The lines of one item without its indentation. Models indent by two spaces under every marker, so two are enough.
function listItem(lines, at, { column, content }) {
    const inside = Math.min(content, column + 2);
    const result = [lines[at].slice(content)];
    let end = at + 1;
    for (; end < lines.length; end += 1) {
        const line = lines[end];
        if (isBlank(line)) {
            result.push("");
        } else if (indent(line) >= inside) {
            result.push(outdent(line, content));
        } else if (result.at(-1) !== "" && !begins(lines, end) && !marker(line)) {
            result.push(line.trimStart());  // The paragraph continues.
        } else {
            break;
        }
    }
    const task = /^\[([ xX])\] /.exec(result[0]);
    if (task) result[0] = result[0].slice(4);
    return { lines: result, checked: task ? task[1] !== " " : null, end };
}

// A table: a header line, a delimiter line with the same number of cells, and rows.
function table(lines, at) {
    if (!isTable(lines, at)) return null;
    const alignments = cells(lines[at + 1]).map(cell =>
        cell.endsWith(":") ? cell.startsWith(":") ? "center" : "right" : cell.startsWith(":") ? "left" : "");
    let end = at + 2;
    while (end < lines.length && !isBlank(lines[end]) && !begins(lines, end)) end += 1;
    const rows = lines.slice(at + 2, end).map(line => cells(line).slice(0, alignments.length));
    return { kind: "table", alignments, names: cells(lines[at]), rows, end };
}

function isTable(lines, at) {
    if (at + 1 >= lines.length || !lines[at].includes("|") || !/^[\s|:-]+$/.test(lines[at + 1])) return false;
    const dashes = cells(lines[at + 1]);
    return dashes.every(cell => /^:?-+:?$/.test(cell)) && dashes.length === cells(lines[at]).length;
}

// The cells of a table's row; `\|` is a bar inside one.
function cells(line) {
    const text = line.trim().replace(/^\|/, "");
    const result = [""];
    for (const piece of text.match(/\\\||\||[^\\|]+|\\/g) ?? []) {
        if (piece === "|") result.push("");
        else result[result.length - 1] += piece === "\\|" ? "|" : piece;
    }
    if (result.length > 1 && isBlank(result.at(-1))) result.pop();
    return result.map(cell => cell.trim());
}

// Whether a line ends the paragraph before it.
function begins(lines, at, depth = 0) {
    const line = lines[at];
    if (/^ {0,3}(?:`{3}|~{3}|#{1,6}(?:\s|$))/.test(line) || isRule(line) || isTable(lines, at)) return true;
    if (depth === MAXIMUM_DEPTH) return false;
    const item = marker(line);
    // As in CommonMark, a number that wraps to the beginning of a line is not a list, and neither is an empty bullet.
    return quoteMark.test(line) || item !== null && (item.number ?? 1) === 1 && item.content <= line.length;
}

function paragraph(lines, at, depth) {
    let end = at + 1;
    while (end < lines.length && !isBlank(lines[end]) && !begins(lines, end, depth)) end += 1;
    return { kind: "paragraph", text: lines.slice(at, end).map(line => line.trimStart()).join("\n"), end };
}
