// How one message of a conversation looks, and what can be done with it.

import { el, icon, iconButton, copyText, whole, dollars, duration } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

/**
 * The view of a message.
 *
 * `actions` is `{edit(text), again(), openKey()}`. A message of the model changes while it is written: `update` shows
 * what it has become.
 */
export class MessageView {
    constructor(message, actions) {
        this.message = message;
        this.actions = actions;
        const isMine = message.role === "user";
        this.node = el("article", { class: isMine ? "mine" : "theirs", "aria-label": isMine ? "You" : "Model" });
        if (isMine) this.buildMine();
        else this.buildTheirs();
        this.update();
    }

    buildMine() {
        this.body = el("div", { class: "body" });
        this.tools = el("div", { class: "tools" },
            copyButton(this.message), iconButton("edit", "Edit and send again", () => this.edit()));
        this.node.append(this.body, this.tools);
    }

    buildTheirs() {
        this.thoughtLabel = el("span");
        this.thought = el("div", { class: "prose" });
        this.fold = el("details", { class: "thought" }, el("summary", {}, this.thoughtLabel), this.thought);
        this.fold.addEventListener("toggle", () => this.update());
        this.body = el("div", { class: "body prose" });
        this.wait = el("div", { class: "wait" }, el("span", { class: "offscreen" }, "Waiting for the model"),
            el("i"), el("i"), el("i"));
        this.problem = el("div", { class: "problem" });
        this.again = iconButton("again", "Answer again", () => this.actions.again());
        this.facts = el("span", { class: "facts" });
        this.copy = copyButton(this.message);
        this.tools = el("div", { class: "tools" }, this.copy, this.again, this.facts);
        this.node.append(this.fold, this.body, this.wait, this.problem, this.tools);
    }

    /** Shows the message as it is now. */
    update() {
        const { message } = this;
        if (message.role === "user") {
            this.body.textContent = message.content;
            return;
        }
        const { isRunning } = message;
        this.fold.hidden = !message.reasoning;
        if (message.reasoning) {
            const isThinking = isRunning && !message.content;
            this.thoughtLabel.textContent = isThinking ? "Thinking…"
                : message.stats?.thinking ? `Thought for ${duration(message.stats.thinking)}` : "Thoughts";
            // A folded text is not rendered with every token.
            if (this.fold.open) renderMarkdown(this.thought, message.reasoning);
        }
        renderMarkdown(this.body, message.content);
        this.wait.hidden = !isRunning || Boolean(message.content || message.reasoning);
        this.node.setAttribute("aria-busy", isRunning ? "true" : "false");
        this.node.classList.toggle("running", Boolean(isRunning));
        this.copy.hidden = !message.content;
        this.again.hidden = isRunning || !this.isLast;
        this.tools.hidden = isRunning && !message.stats;
        this.showFacts();
        this.showProblem();
    }

    /** Only the last answer can be asked for again. */
    markLast(isLast) {
        if (this.isLast === isLast) return;
        this.isLast = isLast;
        this.update();
    }

    showFacts() {
        const { stats, isRunning } = this.message;
        const facts = [];
        const add = (text, title) => facts.push(el("span", { title }, text));
        if (stats) {
            const about = stats.isExact ? "" : "about ";
            if (stats.tokens > 0) add(`${about}${whole(stats.tokens)} tokens`, stats.promptTokens > 0
                ? `answer to a prompt of ${whole(stats.promptTokens)} tokens, ${whole(stats.cachedTokens)} of them from the cache`
                : null);
            if (stats.rate > 0) add(`${about}${stats.rate >= 100 ? whole(stats.rate) : stats.rate.toPrecision(3)} tokens/s`,
                "after the first token");
            if (stats.firstToken >= 0) add(`first after ${duration(stats.firstToken)}`, "time to the first token");
            if (!isRunning && stats.cost > 0) add(dollars(stats.cost), "the time it took on all cores, at the server's price");
        }
        this.facts.replaceChildren(...facts);
    }

    showProblem() {
        const { error, isStopped, finish, isRunning } = this.message;
        this.problem.hidden = isRunning || !(error || isStopped || finish === "length");
        this.problem.className = error ? "problem bad" : "problem";
        if (this.problem.hidden) return;
        const words = error?.text ?? (isStopped ? "Stopped." : "The answer ended at the token limit.");
        this.problem.replaceChildren(el("span", {}, words));
        if (error && this.isLast) {
            if (error.kind === "key") {
                this.problem.append(el("button", { type: "button", onclick: () => this.actions.openKey() }, "Enter the key"));
            }
            this.problem.append(el("button", { type: "button", onclick: () => this.actions.again() }, "Try again"));
        }
    }

    /** Turns the reader's message into a field to change it. */
    edit() {
        if (this.node.classList.contains("editing")) return;
        const area = el("textarea", { "aria-label": "Edit the message", rows: "3" });
        area.value = this.message.content;
        const close = () => {
            this.node.classList.remove("editing");
            form.replaceWith(this.body, this.tools);
            this.tools.querySelector("[title='Edit and send again']").focus();
        };
        const submit = () => {
            const text = area.value.trim();
            if (text) this.actions.edit(text);
        };
        const form = el("form", { class: "edit", onsubmit: (event) => { event.preventDefault(); submit(); } }, area,
            el("div", { class: "row end" }, el("span", { class: "muted note" }, "What follows it is replaced."),
                el("button", { type: "button", onclick: close }, "Cancel"),
                el("button", { type: "submit", class: "primary" }, "Send")));
        area.addEventListener("keydown", (event) => {
            if (event.key === "Escape") {
                event.stopPropagation();
                close();
            } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
                event.preventDefault();
                submit();
            }
        });
        this.node.classList.add("editing");
        this.tools.remove();
        this.body.replaceWith(form);
        area.style.height = `${Math.min(area.scrollHeight + 4, 360)}px`;
        area.focus();
        area.setSelectionRange(area.value.length, area.value.length);
    }
}

function copyButton(message) {
    const button = iconButton("copy", "Copy", async () => {
        const isCopied = await copyText(message.content);
        button.firstChild.replaceWith(icon(isCopied ? "done" : "copy"));
        button.setAttribute("aria-label", isCopied ? "Copied" : "Could not be copied");
        setTimeout(() => {
            button.firstChild.replaceWith(icon("copy"));
            button.setAttribute("aria-label", "Copy");
        }, 1500);
    });
    return button;
}
