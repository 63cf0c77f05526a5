// The settings dialog, and the dialog that asks a question.

import { apiKey } from "./dom.js";

const storageKey = "minke.settings";
const names = ["system", "temperature", "top_p", "max_tokens", "thinking"];
const byId = (id) => document.getElementById(id);

// Buttons that close are no submit buttons: Enter in a field must not choose them.
for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
}

/** What the reader set; empty texts leave a choice to the server. */
export const preferences = Object.fromEntries(names.map((name) => [name, ""]));
try {
    const stored = JSON.parse(localStorage.getItem(storageKey)) ?? {};
    for (const name of names) if (typeof stored[name] === "string") preferences[name] = stored[name];
} catch {
    // Damaged or unavailable: as if nothing had been set.
}

/** The fields of a request that the settings fill in. */
export function requestFields() {
    const fields = {};
    for (const name of ["temperature", "top_p", "max_tokens"]) {
        const value = Number.parseFloat(preferences[name]);
        if (Number.isFinite(value)) fields[name] = name === "max_tokens" ? Math.trunc(value) : value;
    }
    if (preferences.thinking) fields.thinking = { type: preferences.thinking };
    return fields;
}

/** Opens the settings; `onSave` is called when they were saved. `field` is where the cursor goes. */
export function openSettings(facts, onSave, field = "system") {
    const dialog = byId("settings");
    const form = dialog.querySelector("form");
    for (const name of names) form.elements[name].value = preferences[name];
    form.elements.key.value = apiKey.get();
    byId("facts").textContent = describe(facts);
    dialog.onclose = () => {
        if (dialog.returnValue !== "save") return;
        for (const name of names) preferences[name] = form.elements[name].value;
        apiKey.set(form.elements.key.value.trim());
        try {
            localStorage.setItem(storageKey, JSON.stringify(preferences));
        } catch {
            // They last as long as the page.
        }
        onSave();
    };
    dialog.returnValue = "";
    dialog.showModal();
    form.elements[field].focus();
}

function describe(facts) {
    const parts = [];
    if (facts.version) parts.push(`Minke ${facts.version}.`);
    if (facts.price_per_core_hour > 0 && facts.cores > 0) {
        parts.push(`Costs are the time that an answer took, times ${facts.cores} cores at `
            + `$${facts.price_per_core_hour} an hour each, as if the machine had worked for it alone.`);
    }
    return parts.join(" ");
}

/** Asks for a yes, or for a text where `value` is one. Resolves to whether, or the text; null where the reader declined. */
export function ask(text, { yes, value = null, isDanger = false }) {
    const dialog = byId("question");
    const input = byId("question-input");
    byId("question-text").textContent = text;
    byId("question-field").hidden = value === null;
    input.value = value ?? "";
    const button = byId("question-yes");
    button.textContent = yes;
    button.className = isDanger ? "danger" : "primary";
    dialog.returnValue = "";
    dialog.showModal();
    if (value === null) button.focus();
    else input.select();
    return new Promise((resolve) => {
        dialog.onclose = () => resolve(dialog.returnValue === "yes" ? (value === null ? true : input.value.trim()) : null);
    });
}
