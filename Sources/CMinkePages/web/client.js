// The server's interface as the page uses it: settings, models, and answers as they are streamed.

import { apiKey } from "./dom.js";

/** What went wrong, in words for a person. `kind` is `key`, `busy`, `loading` or `other`. */
export class Failure extends Error {
    constructor(message, { kind = "other", retryAfter = null } = {}) {
        super(message);
        this.kind = kind;
        this.retryAfter = retryAfter;
    }
}

async function send(path, options = {}) {
    let response;
    try {
        response = await fetch(path, {
            cache: "no-store", ...options, headers: { ...apiKey.headers, ...options.headers },
        });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Failure("The server cannot be reached. Is it running, and is this computer online?");
    }
    if (!response.ok) throw await failure(response);
    return response;
}

async function failure(response) {
    let said = "";
    let code = null;
    try {
        const error = JSON.parse((await response.text()).slice(0, 100_000)).error;
        said = typeof error === "string" ? error : error?.message ?? "";
        code = error?.code ?? null;
    } catch {
        // A gateway's page of HTML says nothing that helps here.
    }
    const words = said ? ` The server says: ${said}` : "";
    const seconds = Number.parseFloat(response.headers.get("Retry-After"));
    const retryAfter = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3600) : null;
    const when = retryAfter === null ? "Try again in a moment." : `Try again in ${Math.ceil(retryAfter)} s.`;
    switch (response.status) {
    case 401: case 403:
        return new Failure(
            apiKey.get() ? "The server did not accept the API key." : "This server asks for an API key.", { kind: "key" });
    case 404: return new Failure(`The server does not know this model or address.${words}`);
    case 413: return new Failure(`The conversation is longer than the server accepts.${words}`);
    case 429: return new Failure(`The server is busy. ${when}`, { kind: "busy", retryAfter });
    case 503:
        return code === "loading"
            ? new Failure(`The server still loads its model. ${when}`, { kind: "loading", retryAfter })
            : new Failure(`The server is not ready. ${when}`, { kind: "busy", retryAfter });
    default:
        return response.status < 500
            ? new Failure(said ? `The server did not accept the request: ${said}` : `The server did not accept the request (${response.status}).`)
            : new Failure(`Something went wrong on the server (${response.status}).${words}`);
    }
}

/** `{model, price_per_core_hour, cores, needs_key, version, has_run}`; nothing where the server does not tell. */
export async function fetchFacts() {
    try {
        return await (await send("pages/settings")).json();
    } catch {
        return {};
    }
}

/** The models that the server has, as `{id, chats}`: one that does not chat continues texts. */
export async function fetchModels() {
    const list = (await (await send("v1/models")).json()).data;
    return (Array.isArray(list) ? list : []).filter((model) => typeof model?.id === "string")
        .map((model) => ({ id: model.id, chats: model.meta?.chat !== false }));
}

/**
 * Asks for an answer and hands each piece on as it comes.
 *
 * @param request what goes into the body: with `messages`, a conversation is answered, with a `prompt`, it is continued
 * @param onDelta called with `{content, reasoning}` of a piece
 * @returns `{usage, finish}`; `finish` is the reason that the interface gives, or null
 */
export async function streamAnswer(request, signal, onDelta) {
    const response = await send(request.messages ? "v1/chat/completions" : "v1/completions", {
        method: "POST", signal, headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
    });
    const result = { usage: null, finish: null };
    for await (const data of events(response)) {
        if (data.startsWith("[DONE]")) return result;
        let chunk;
        try {
            chunk = JSON.parse(data);
        } catch {
            throw new Failure("The server sent something that is no answer.");
        }
        if (chunk.error) throw new Failure(`The answer broke off. The server says: ${chunk.error.message ?? chunk.error}`);
        if (chunk.usage) result.usage = chunk.usage;
        const choice = chunk.choices?.[0];
        if (choice?.finish_reason) result.finish = choice.finish_reason;
        const delta = choice?.delta ?? {};
        const text = delta.content ?? choice?.text;
        const content = typeof text === "string" ? text : "";
        const reasoning = typeof delta.reasoning_content === "string" ? delta.reasoning_content : "";
        if (content || reasoning) onDelta({ content, reasoning });
    }
    throw new Failure("The connection was lost before the answer was complete.");
}

/** The data of each server-sent event. */
async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        while (true) {
            let piece;
            try {
                piece = await reader.read();
            } catch (error) {
                if (error.name === "AbortError") throw error;
                throw new Failure("The connection was lost before the answer was complete.");
            }
            if (piece.done) return;
            const lines = (rest + piece.value).split("\n");
            rest = lines.pop();
            // Minke puts each event's data on one line; comments and other fields are passed over.
            for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}
