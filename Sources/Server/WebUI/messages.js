"use strict";

// A message on the page: its content and its actions.

class MessageView {
    constructor(message, actions) {
        this.message = message;
        this.actions = actions;
        const { role } = message;
        this.article = add(null, "article", "", role);
        const name = { user: "You", assistant: "Trinity", tool: "Result of a tool call" }[role];
        add(this.article, "h2", name, role === "tool" ? "" : "visually-hidden");
        this.body = add(this.article, "div", "", "body");
        // Messages of users and tools are shown without formatting.
        this.content = add(this.body, "div", "", role === "assistant" ? "markdown" : "text");
        this.markdown = role === "assistant" ? new MarkdownView(this.content) : null;
        if (!this.markdown) this.content.textContent = message.content;
        this.reasoning = null;
        this.phase = null;
        this.calls = [];
        this.footer = add(this.article, "footer");
    }

    // Shows a message that is complete.
    finish() {
        this.phase?.remove();
        this.article.ariaBusy = "false";
        this.update();
        this.foldReasoning();
        const calls = this.message.tool_calls ?? [];
        for (const { section } of this.calls.splice(calls.length)) section.remove();
        for (const [index, { code }] of this.calls.entries()) code.data = prettyJSON(calls[index].function.arguments);
        this.fillFooter();
    }

    // Shows the current content of an unfinished message.
    update() {
        const { content, reasoning, tool_calls: calls } = this.message;
        if (reasoning) this.updateReasoning(reasoning);
        if (content && this.markdown) this.markdown.update(content);
        for (const [index, call] of (calls ?? []).entries()) this.updateCall(index, call.function);
        if (content || calls) this.foldReasoning();
        if (content || reasoning || calls) this.phase?.remove();
    }

    // Shows the progress before the first token: the share of the prompt that is computed.
    showPhase(text, share = null) {
        if (!this.phase) {
            this.phase = add(null, "p", "", "phase");
            this.content.before(this.phase);
            add(this.phase, "span", "", "dots").ariaHidden = "true";
            add(this.phase, "span");
            add(this.phase, "progress").ariaLabel = "Prompt";
        }
        const [, line, bar] = this.phase.children;
        line.textContent = text;
        bar.hidden = share === null;
        bar.value = share ?? 0;
    }

    // The reasoning is open until the answer begins, unless the user opens or closes it.
    updateReasoning(text) {
        if (!this.reasoning) {
            const details = add(null, "details", "", "reasoning");
            const summary = add(details, "summary", "Reasoning");
            const box = add(details, "div", "", "text");
            box.tabIndex = 0;
            box.append("");
            this.reasoning = { details, box, node: box.firstChild, isTouched: false };
            summary.onclick = () => this.reasoning.isTouched = true;
            details.open = this.article.ariaBusy === "true";
            this.content.before(details);
        }
        const { box, node } = this.reasoning;
        const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
        node.appendData(text.slice(node.length));
        if (isAtEnd) box.scrollTop = box.scrollHeight;
    }

    foldReasoning() {
        if (this.reasoning && !this.reasoning.isTouched) this.reasoning.details.open = false;
    }

    updateCall(index, { name, arguments: input }) {
        if (!this.calls[index]) {
            const section = add(this.body, "section", "", "call");
            const title = add(section, "h3", "Calls ");
            const called = add(title, "code");
            const pre = add(section, "pre");
            pre.tabIndex = 0;
            const code = document.createTextNode("");
            add(pre, "code").append(code);
            this.calls[index] = { section, called, code };
        }
        this.calls[index].called.textContent = name;
        this.calls[index].code.data = input;
    }

    fillFooter() {
        const { role, content, note, ignored, fault } = this.message;
        this.footer.replaceChildren();
        const buttons = add(this.footer, "span", "", "actions");
        if (content) {
            const button = iconButton("copy", "Copy the message", () => copy(content, button));
            buttons.append(button);
        }
        if (role !== "tool") buttons.append(named("edit", iconButton("edit", "Edit the message", () => this.edit())));
        if (role === "assistant") {
            buttons.append(named("again", iconButton("again", "Generate again", () => this.actions.regenerate(this.message))));
        }
        if (note) add(this.footer, "span", note, "note");
        if (ignored) add(this.footer, "span", `The server ignored: ${ignored}`, "ignored");
        if (fault) add(this.footer, "span", fault, "fault").role = "alert";
    }

    // Replaces the message by a text area with its text.
    edit(text = this.message.content) {
        if (this.article.querySelector("form")) return;
        const isUser = this.message.role === "user";
        const form = add(null, "form", "", "editor");
        const area = add(form, "textarea", text);
        area.ariaLabel = "Text of the message";
        const bar = add(form, "div", "", "bar");
        const later = isUser ? this.actions.countBehind(this.message) : 0;
        if (later) add(bar, "span", `Replaces the ${counted(later, "message")} below.`, "small");
        const close = () => {
            form.remove();
            this.body.hidden = this.footer.hidden = false;
            this.footer.querySelector(".edit")?.focus();
        };
        textButton(bar, "Cancel", close);
        add(bar, "button", isUser ? "Send" : "Save", "wide");
        form.onsubmit = event => {
            event.preventDefault();
            if (!area.value.trim()) return;
            close();
            this.actions.edited(this.message, area.value);
        };
        form.onkeydown = event => {
            if (event.key === "Escape") close();
            else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
            else return;
            event.preventDefault();
            event.stopPropagation();
        };
        area.oninput = () => fit(area);
        this.body.hidden = this.footer.hidden = true;
        this.article.append(form);
        fit(area);
        area.focus();
    }

    // Shows fields for the results of the message's calls, which the page cannot make.
    askForResults() {
        if (this.article.querySelector("form.results")) return;
        const form = add(null, "form", "", "results");
        const areas = this.message.tool_calls.map(call => {
            const area = add(add(form, "label", `Result of ${call.function.name} `), "textarea");
            area.rows = 2;
            return area;
        });
        add(form, "button", areas.length === 1 ? "Send the result" : "Send the results", "wide");
        form.onsubmit = event => {
            event.preventDefault();
            this.actions.answerCalls(this.message, areas.map(area => area.value));
        };
        this.body.append(form);
    }
}

function named(name, node) {
    node.classList.add(name);
    return node;
}

function prettyJSON(text) {
    const value = parsed(text);
    return value === null ? text : JSON.stringify(value, null, 2);
}
