// One answer from its request to its end: what is sent, what comes, and what it took.

import { Failure, streamAnswer } from "./client.js";
import { preferences, requestFields } from "./preferences.js";

/** What goes to the server for an answer to `messages`. */
function requestFor(messages, model) {
    const said = messages.filter((message) => message.role === "user" || message.content);
    if (!model.chats) {
        const { temperature, top_p, max_tokens = 256 } = requestFields();
        return { model: model.id, prompt: continued(said), max_tokens, temperature, top_p };
    }
    const system = preferences.system.trim();
    const sent = said.map(({ role, content }) => ({ role, content }));
    return { model: model.id, messages: system ? [{ role: "system", content: system }, ...sent] : sent, ...requestFields() };
}

/** One text of all that was written, for a model that only continues texts. */
function continued(messages) {
    return messages.reduce((text, { role, content }) => {
        const needsLine = role === "user" && text && !/\s$/.test(text);
        return text + (needsLine ? "\n" : "") + content;
    }, "");
}

/**
 * Fills `message` with the answer to the messages before it.
 *
 * @param model `{id, chats}`
 * @param facts what the server told about itself, for the cost
 * @param onChange called whenever `message` changed
 */
export async function answer(message, earlier, { model, facts, signal, onChange }) {
    const meter = new Meter(facts);
    message.isRunning = true;
    onChange();
    try {
        const { usage, finish } = await streamAnswer(requestFor(earlier, model), signal, ({ content, reasoning }) => {
            meter.count(content);
            message.content += content;
            if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
            message.stats = meter.stats(null, Boolean(message.reasoning));
            onChange();
        });
        message.finish = finish;
        message.stats = meter.stats(usage, Boolean(message.reasoning));
    } catch (error) {
        if (error.name === "AbortError") message.isStopped = true;
        else if (error instanceof Failure) {
            message.error = { text: error.message, kind: error.kind, retryAfter: error.retryAfter };
        } else {
            message.error = { text: "Something went wrong on this page.", kind: "other" };
            console.error(error);
        }
    } finally {
        delete message.isRunning;
        onChange();
    }
}

/** Time and tokens of an answer. */
class Meter {
    constructor(facts) {
        this.perSecond = (facts.price_per_core_hour ?? 0) * (facts.cores ?? 0) / 3600;
        this.start = performance.now();
        this.pieces = 0;
    }

    count(content) {
        const now = performance.now();
        this.pieces += 1;
        this.first ??= now;
        if (content) this.spoke ??= now;
        this.last = now;
    }

    /** Exact with the server's usage; before it comes, a piece of the stream counts as a token. */
    stats(usage, hasThought) {
        const tokens = usage?.completion_tokens ?? this.pieces;
        const writing = (this.last - this.first) / 1000;
        const thinking = hasThought ? ((this.spoke ?? this.last) - this.first) / 1000 : 0;
        return {
            tokens, isExact: Boolean(usage), thinking,
            promptTokens: usage?.prompt_tokens ?? 0,
            cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
            firstToken: this.first === undefined ? -1 : (this.first - this.start) / 1000,
            rate: tokens > 1 && writing > 0 ? (tokens - 1) / writing : 0,
            cost: ((performance.now() - this.start) / 1000) * this.perSecond,
        };
    }
}
