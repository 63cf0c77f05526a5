// The chat page: conversations at the side, messages in the middle, one answer at a time.

import { el, apiKey } from "./dom.js";
import { fetchFacts, fetchModels } from "./client.js";
import * as history from "./history.js";
import { MessageView } from "./message.js";
import { answer } from "./answer.js";
import { ask, openSettings } from "./preferences.js";

const byId = (id) => document.getElementById(id);
const [input, scroller, messages, sendButton] = ["input", "scroller", "messages", "send"].map(byId);
const modelKey = "minke.model";
const isPhone = matchMedia("(max-width: 760px)");
const isTouch = matchMedia("(pointer: coarse)");

let chat = history.newChat();
let facts = {};
let models = [];
/** While the server loads its model: the timer that asks again. */
let loading = null;
/** The answer that is being written: `{chat, message, abort}`. */
let running = null;
/** The views of the messages on the page. */
let views = new Map();

// MARK: Messages

function showChat() {
    views = new Map();
    messages.replaceChildren(...chat.messages.map((message, index) => view(message, index).node));
    showState();
    scroller.scrollTop = scroller.scrollHeight;
}

function view(message, index) {
    const made = new MessageView(message, {
        edit: (text) => editMessage(index, text),
        again: () => regenerate(index),
        openKey: () => settings("key"),
    });
    views.set(message, made);
    return made;
}

function append(message) {
    chat.messages.push(message);
    messages.append(view(message, chat.messages.length - 1).node);
}

/** Takes back the messages from `index` on. */
function cut(index) {
    for (const message of chat.messages.splice(index)) {
        views.get(message)?.node.remove();
        views.delete(message);
    }
}

function submit() {
    const text = input.value.trim();
    if (!text || running || loading) return;
    input.value = "";
    resize();
    append({ role: "user", content: text });
    startAnswer();
}

function editMessage(index, text) {
    if (running) return;
    cut(index);
    append({ role: "user", content: text });
    startAnswer();
    input.focus();
}

function regenerate(index) {
    if (running) return;
    cut(index);
    startAnswer();
    input.focus();
}

async function startAnswer() {
    const model = currentModel();
    const message = { role: "assistant", content: "", reasoning: "", model: model.id };
    const abort = new AbortController();
    const owner = chat;
    const earlier = [...owner.messages];
    running = { chat: owner, message, abort };
    append(message);
    keep(owner);
    showState();
    scroller.scrollTop = scroller.scrollHeight;
    say("The model is answering.");
    let isPainting = false;
    let lastKept = performance.now();
    const paint = () => {
        isPainting = false;
        const stays = isAtEnd();
        views.get(message)?.update();
        if (stays) scroller.scrollTop = scroller.scrollHeight;
        showNewest();
    };
    await answer(message, earlier, {
        model, facts, signal: abort.signal,
        onChange: () => {
            if (!isPainting) {
                isPainting = true;
                // A page in the background has no frames; what it shows may wait.
                requestAnimationFrame(paint);
            }
            if (performance.now() - lastKept > 2000) {
                lastKept = performance.now();
                keep(owner, false);
            }
        },
    });
    running = null;
    keep(owner);
    paint();
    showState();
    if (message.error) say(message.error.text, true);
    else if (message.isStopped) say("Stopped.");
    else say(message.content.length < 4000 ? `Answer: ${message.content}` : "The answer is complete.");
    if (message.error?.kind === "key" && owner === chat) settings("key");
}

function stop() {
    running?.abort.abort();
}

function keep(owner, isTouched = true) {
    // A conversation that was deleted while its answer came stays deleted.
    if (owner.isDeleted) return;
    const isNew = !owner.updated;
    if (!history.saveChat(owner, isTouched)) {
        notice("This browser has no room left for the history. Export and delete chats to make some.");
    }
    if (isNew || isTouched) showList();
}

// MARK: What is around them

function showState() {
    const isEmpty = chat.messages.length === 0;
    byId("welcome").hidden = !isEmpty;
    byId("chat-actions").hidden = isEmpty;
    byId("title").textContent = chat.title || "New chat";
    document.title = chat.title ? `${chat.title} – Minke` : "Minke";
    const last = chat.messages.at(-1);
    for (const [message, made] of views) if (message.role === "assistant") made.markLast(message === last);
    const isBusy = running !== null;
    showSend();
    sendButton.setAttribute("aria-label", isBusy ? "Stop" : "Send");
    sendButton.title = isBusy ? "Stop" : "Send";
    sendButton.querySelector("use").setAttribute("href", isBusy ? "#icon-stop" : "#icon-send");
    document.body.classList.toggle("busy", isBusy);
    showNewest();
}

function showList() {
    byId("conversations").replaceChildren(...history.listChats().map((entry) => el("li", {},
        el("button", {
            type: "button", class: "quiet", title: entry.title, "aria-current": entry.id === chat.id ? "page" : null,
            onclick: () => openChat(entry.id),
        }, el("span", {}, entry.title || "Chat")))));
}

function openChat(id) {
    chat = running?.chat.id === id ? running.chat : history.loadChat(id) ?? history.newChat();
    showChat();
    showList();
    showMenu(false);
    if (!isTouch.matches) input.focus();
}

function startChat() {
    chat = history.newChat();
    showChat();
    showList();
    showMenu(false);
    input.focus();
}

function showMenu(isOpen) {
    document.body.classList.toggle("menu", isOpen);
    byId("veil").hidden = !isOpen;
    byId("open-menu").setAttribute("aria-expanded", String(isOpen));
    byId("sidebar").inert = isPhone.matches && !isOpen;
    if (isOpen) byId("new").focus();
}

const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
const showNewest = () => { byId("newest").hidden = isAtEnd(); };

/** Tells those who listen instead of looking. */
function say(text, isUrgent = false) {
    const status = byId("status");
    status.setAttribute("aria-live", isUrgent ? "assertive" : "polite");
    status.textContent = text;
}

function notice(text) {
    if (document.querySelector(".notice")) return;
    const node = el("div", { class: "notice", role: "alert" }, text);
    document.body.append(node);
    setTimeout(() => node.remove(), 8000);
}

function resize() {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, innerHeight * 0.4)}px`;
    showSend();
}

function showSend() {
    sendButton.disabled = !running && (loading !== null || !input.value.trim());
}

// MARK: Models and settings

function currentModel() {
    const select = byId("model");
    return models.find((model) => model.id === select.value) ?? models[0] ?? { id: facts.model ?? "default", chats: true };
}

async function loadModels() {
    let seconds = null;
    try {
        models = await fetchModels();
    } catch (error) {
        // Whatever else it is, the first message says it in words.
        models = [];
        if (error.kind === "loading") seconds = error.retryAfter || 1;
    }
    if ((loading !== null) !== (seconds !== null)) say(seconds ? "The model is being loaded." : "The model is ready.");
    clearTimeout(loading);
    loading = seconds === null ? null : setTimeout(loadModels, 1000 * seconds);
    showSend();
    const select = byId("model");
    select.replaceChildren(...models.map(({ id }) => el("option", { value: id }, id)));
    try {
        const kept = localStorage.getItem(modelKey);
        if (models.some(({ id }) => id === kept)) select.value = kept;
    } catch {
        // Without storage, the first one it is.
    }
    select.hidden = models.length < 2;
    showModel();
}

function showModel() {
    const { id, chats } = currentModel();
    byId("model-name").textContent = models.length > 1 ? "" : id;
    byId("model-note").textContent = loading ? " is being loaded …" : chats ? "" : " continues texts";
    input.placeholder = chats ? "Write a message" : "Write the beginning of a text";
    byId("greeting").textContent = chats ? "What shall we talk about?" : "How does it begin?";
}

function settings(field) {
    const hadKey = apiKey.get();
    openSettings(facts, () => {
        if (apiKey.get() === hadKey) return;
        loadModels();
        const last = chat.messages.at(-1);
        // The question that was refused for want of a key is asked again.
        if (last?.error?.kind === "key" && apiKey.get()) regenerate(chat.messages.length - 1);
    }, field);
}

async function rename() {
    const title = await ask("Rename this chat", { yes: "Rename", value: chat.title });
    if (!title) return;
    chat.title = title;
    chat.isNamed = true;
    history.saveChat(chat, false);
    showList();
    showState();
}

async function removeThis() {
    const doomed = chat;
    if (!await ask(`Delete “${doomed.title || "this chat"}”? It cannot be brought back.`, { yes: "Delete", isDanger: true })) return;
    if (running?.chat === doomed) stop();
    doomed.isDeleted = true;
    history.removeChat(doomed.id);
    startChat();
}

async function removeAll() {
    byId("settings").close();
    const number = history.listChats().length;
    if (!await ask(`Delete all ${number} chats? They cannot be brought back.`, { yes: "Delete all", isDanger: true })) return;
    stop();
    chat.isDeleted = true;
    if (running) running.chat.isDeleted = true;
    history.removeAllChats();
    startChat();
}

function exportAll() {
    const chats = history.listChats().map((entry) => history.loadChat(entry.id)).filter(Boolean);
    history.download("minke-chats.json", "application/json", `${JSON.stringify(chats, null, 2)}\n`);
}

function exportThis() {
    const name = chat.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 50);
    history.download(`${name || "chat"}.md`, "text/markdown", history.markdownOf(chat));
}

// MARK: Input

byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) stop();
    else submit();
});
input.addEventListener("input", resize);
input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !isTouch.matches) {
        event.preventDefault();
        submit();
    } else if (event.key === "ArrowUp" && !input.value && !running) {
        const last = chat.messages.findLast((message) => message.role === "user");
        if (!last) return;
        event.preventDefault();
        views.get(last)?.edit();
    }
});
addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
        if (document.body.classList.contains("menu")) {
            showMenu(false);
            byId("open-menu").focus();
        } else stop();
    } else if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        startChat();
    }
});
scroller.addEventListener("scroll", showNewest, { passive: true });
byId("newest").addEventListener("click", () => { scroller.scrollTop = scroller.scrollHeight; });
byId("new").addEventListener("click", startChat);
byId("open-menu").addEventListener("click", () => showMenu(true));
byId("veil").addEventListener("click", () => showMenu(false));
byId("open-settings").addEventListener("click", () => { showMenu(false); settings(); });
byId("rename").addEventListener("click", rename);
byId("export").addEventListener("click", exportThis);
byId("delete").addEventListener("click", removeThis);
byId("export-all").addEventListener("click", exportAll);
byId("delete-all").addEventListener("click", removeAll);
byId("model").addEventListener("change", (event) => {
    try {
        localStorage.setItem(modelKey, event.target.value);
    } catch {
        // The choice lasts as long as the page.
    }
    showModel();
});
isPhone.addEventListener("change", () => showMenu(false));
// Another tab changed the history.
addEventListener("storage", (event) => { if (event.key === "minke.chats") showList(); });
addEventListener("pagehide", () => { if (running) keep(running.chat, false); });
if (/Mac|iPhone|iPad/.test(navigator.platform)) byId("new-keys").textContent = "⌘ K";

showMenu(false);
const newest = history.listChats()[0];
if (newest) openChat(newest.id);
else startChat();
fetchFacts().then((told) => {
    facts = told;
    byId("run-link").hidden = told.has_run !== true;
    return loadModels();
});
