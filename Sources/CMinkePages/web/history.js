// Conversations, kept in this browser. One entry of the storage holds the list, one each conversation.

const listKey = "minke.chats";
const chatKey = (id) => `minke.chat.${id}`;

function read(key) {
    try {
        return JSON.parse(localStorage.getItem(key));
    } catch {
        return null;
    }
}

/** Whether there was room for it. */
function write(key, value) {
    try {
        localStorage.setItem(key, JSON.stringify(value));
        return true;
    } catch {
        return false;
    }
}

const isMessage = (message) => (message?.role === "user" || message?.role === "assistant")
    && typeof message.content === "string";

/** What was still being written when its page was closed, is written no more. */
function ended({ isRunning, ...message }) {
    return isRunning ? { ...message, isStopped: true } : message;
}

/** `[{id, title, updated}]`, the newest first. */
export function listChats() {
    const list = read(listKey);
    return (Array.isArray(list) ? list : [])
        .filter((entry) => typeof entry?.id === "string" && typeof entry.title === "string")
        .sort((one, other) => (other.updated ?? 0) - (one.updated ?? 0));
}

export function newChat() {
    const id = Date.now().toString(36) + Math.random().toString(36).slice(2, 8);
    return { id, title: "", isNamed: false, messages: [] };
}

/** The conversation with this id, or null where it is gone or damaged. */
export function loadChat(id) {
    const chat = read(chatKey(id));
    if (!Array.isArray(chat?.messages)) return null;
    return {
        id, title: String(chat.title ?? ""), isNamed: chat.isNamed === true, updated: chat.updated,
        messages: chat.messages.filter(isMessage).map(ended),
    };
}

/** Keeps a conversation; `isTouched` moves it to the top. Returns whether the browser had room for it. */
export function saveChat(chat, isTouched = true) {
    if (isTouched || !chat.updated) chat.updated = Date.now();
    if (!chat.isNamed) chat.title = titled(chat);
    const list = listChats().filter((entry) => entry.id !== chat.id);
    const isKept = write(chatKey(chat.id), chat);
    return write(listKey, [{ id: chat.id, title: chat.title, updated: chat.updated }, ...list]) && isKept;
}

export function removeChat(id) {
    write(listKey, listChats().filter((entry) => entry.id !== id));
    erase((key) => key === chatKey(id));
}

export function removeAllChats() {
    erase((key) => key === listKey || key.startsWith(chatKey("")));
}

function erase(isMeant) {
    try {
        for (const key of Object.keys(localStorage)) if (isMeant(key)) localStorage.removeItem(key);
    } catch {
        // Where nothing can be kept, nothing is there.
    }
}

/** The beginning of the first message. */
function titled(chat) {
    const first = chat.messages[0]?.content.trim().replace(/\s+/g, " ") ?? "";
    return first.length > 60 ? `${first.slice(0, 58).trimEnd()}…` : first;
}

/** A conversation as a text that people read. */
export function markdownOf(chat) {
    const parts = chat.messages.map((message) => {
        const who = message.role === "user" ? "You" : message.model || "Model";
        const thought = message.reasoning
            ? `${message.reasoning.trim().split("\n").map((line) => `> ${line}`).join("\n")}\n\n` : "";
        return `## ${who}\n\n${thought}${message.content.trim()}\n`;
    });
    return `# ${chat.title || "Chat"}\n\n${parts.join("\n")}`;
}

/** Hands the reader a file. */
export function download(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
