// Light, dark, or as the system has it. Loaded before anything is drawn, so that no page flashes in the wrong colours.
"use strict";
{
    const key = "minke.theme";
    const root = document.documentElement;
    const names = ["auto", "light", "dark"];

    const stored = () => {
        try {
            const name = localStorage.getItem(key);
            return names.includes(name) ? name : "auto";
        } catch {
            return "auto";
        }
    };

    const apply = (name) => {
        if (name === "auto") delete root.dataset.theme;
        else root.dataset.theme = name;
        for (const button of document.querySelectorAll("[data-theme-switch]")) {
            const label = `Colours: ${name === "auto" ? "as the system" : name}`;
            button.setAttribute("aria-label", label);
            button.title = label;
            button.querySelector("use")?.setAttribute("href", `#icon-${name}`);
        }
    };

    apply(stored());
    addEventListener("DOMContentLoaded", () => {
        apply(stored());
        for (const button of document.querySelectorAll("[data-theme-switch]")) {
            button.addEventListener("click", () => {
                const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
                try {
                    localStorage.setItem(key, next);
                } catch {
                    // Without storage the choice lasts as long as the page.
                }
                apply(next);
            });
        }
    });
    addEventListener("storage", (event) => {
        if (event.key === key) apply(stored());
    });
}
