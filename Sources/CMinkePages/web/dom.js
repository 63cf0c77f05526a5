// Small helpers for nodes and figures, shared by both pages. Text reaches the page as text nodes only.

/** An element with properties, listeners (`onclick`), `class`, attributes and children. */
export function el(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === null || value === false) continue;
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else if (name === "class") node.className = value;
        else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

const svgSpace = "http://www.w3.org/2000/svg";

/** An element of SVG with attributes and children. */
export function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS(svgSpace, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
}

/** A symbol of the page, `#icon-NAME`. */
export function icon(name) {
    return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

/** A button with an icon, and its label for those who do not see it. */
export function iconButton(name, label, onclick) {
    return el("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick }, icon(name));
}

/** Puts text on the clipboard; resolves to whether it is there. */
export async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        // Browsers offer the clipboard to secure addresses only; elsewhere a selection has to do.
        const area = el("textarea", { class: "offscreen", "aria-hidden": "true" });
        area.value = text;
        document.body.append(area);
        area.select();
        const isCopied = document.execCommand("copy");
        area.remove();
        return isCopied;
    }
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `12,345`. */
export const whole = (value) => grouped.format(value);

/** `$1.23`, `$0.0042`, `$0.000021`: two digits that count, never an exponent. */
export function dollars(value) {
    if (!(value > 0)) return "$0";
    if (value >= 1) return `$${value.toFixed(2)}`;
    const digits = Math.min(12, 1 - Math.floor(Math.log10(value)));
    return `$${value.toFixed(Math.max(2, digits))}`;
}

/** `0.42 s`, `12 s`, `3 min 5 s`, `25 min`, `2 h 10 min`, `3 days 4 h`. */
export function duration(seconds) {
    if (!Number.isFinite(seconds)) return "–";
    if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
    const total = Math.round(seconds);
    if (total < 60) return `${total} s`;
    if (total < 600) return `${Math.floor(total / 60)} min ${total % 60} s`;
    if (total < 3600) return `${Math.round(total / 60)} min`;
    const minutes = Math.round(total / 60);
    if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    const hours = Math.round(total / 3600);
    return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** `950`, `12.3k`, `4.56M`, `1.2B`. */
export function count(value) {
    for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
        if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
    }
    return String(Number(value.toPrecision(3)));
}

/** The key of the interface. It lasts as long as the browser's tab. */
export const apiKey = {
    get() {
        try {
            return sessionStorage.getItem("minke.key") ?? "";
        } catch {
            return this.kept ?? "";
        }
    },
    set(key) {
        this.kept = key;
        try {
            if (key) sessionStorage.setItem("minke.key", key);
            else sessionStorage.removeItem("minke.key");
        } catch {
            // Without storage the key lasts as long as the page.
        }
    },
    /** Headers of a request. */
    get headers() {
        const key = this.get();
        return key ? { Authorization: `Bearer ${key}` } : {};
    },
};
