// Markdown as models write it, built from nodes. What a model says is never parsed as HTML: every character of it ends in
// a text node, and the only attribute it reaches is the address of a link, which has to begin with http:// or https://.
// Every search looks a bounded way ahead, so that no text takes long.

import { el, icon, copyText } from "./dom.js";

const deepest = 6;
const reach = 4000;

/** Shows `text` in `container`; blocks that did not change since the last call keep their nodes. */
export function renderMarkdown(container, text) {
    const blocks = parseBlocks(text.replace(/\r\n?/g, "\n").split("\n"));
    const shown = container.minkeBlocks ?? [];
    let same = 0;
    while (same < blocks.length && shown[same]?.source === blocks[same].source && shown[same].type === blocks[same].type) {
        same += 1;
    }
    const grown = blocks[same];
    const old = shown[same];
    if (grown?.type === "code" && old?.type === "code" && old.language === grown.language) {
        // A listing that grows by a token is not built anew.
        container.children[same].querySelector("code").textContent = grown.text;
        container.children[same].minkeText = grown.text;
        same += 1;
    }
    while (container.children.length > same) container.lastElementChild.remove();
    for (const block of blocks.slice(same)) container.append(build(block, 0));
    container.minkeBlocks = blocks;
}

// MARK: Blocks

const fence = /^ {0,3}(`{3,}|~{3,}) *([^`\s]*)/;
const heading = /^ {0,3}(#{1,6})(?:[ \t]|$)/;
const marker = /^( {0,8})([-*+]|\d{1,9}[.)])(?: |$)/;
const isBlank = (line) => line.trim() === "";
const isRule = (line) => /^ {0,3}[-*_]/.test(line) && /^(-{3,}|\*{3,}|_{3,})$/.test(line.replace(/[ \t]/g, ""));
const isQuote = (line) => /^ {0,3}>/.test(line);
const startsBlock = (line) => fence.test(line) || heading.test(line) || isQuote(line) || isRule(line) || marker.test(line);

function cells(line) {
    let row = line.trim();
    if (row.startsWith("|")) row = row.slice(1);
    if (row.endsWith("|") && !row.endsWith("\\|")) row = row.slice(0, -1);
    return row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

const isDivider = (line) => line !== undefined && line.includes("-") && line.includes("|")
    && cells(line).every((cell) => /^:?-+:?$/.test(cell));

function parseBlocks(lines) {
    const blocks = [];
    let at = 0;
    const add = (type, from, fields) => blocks.push({ type, source: lines.slice(from, at).join("\n"), ...fields });
    while (at < lines.length) {
        const line = lines[at];
        const from = at;
        const opening = fence.exec(line);
        if (isBlank(line)) {
            at += 1;
        } else if (opening) {
            const isEnd = (other) => {
                const text = other.trim();
                return text.length >= opening[1].length && text === opening[1][0].repeat(text.length);
            };
            at += 1;
            while (at < lines.length && !isEnd(lines[at])) at += 1;
            const text = lines.slice(from + 1, at).join("\n");
            at = Math.min(at + 1, lines.length);
            add("code", from, { language: opening[2].slice(0, 24), text });
        } else if (heading.test(line)) {
            at += 1;
            const level = heading.exec(line)[1].length;
            add("heading", from, { level, text: line.trim().slice(level).replace(/ #+$/, "").trim() });
        } else if (isRule(line)) {
            at += 1;
            add("rule", from, {});
        } else if (isQuote(line)) {
            while (at < lines.length && isQuote(lines[at])) at += 1;
            add("quote", from, { lines: lines.slice(from, at).map((quoted) => quoted.replace(/^ {0,3}> ?/, "")) });
        } else if (marker.test(line)) {
            const list = parseList(lines, at);
            at = list.end;
            add("list", from, list);
        } else if (line.includes("|") && isDivider(lines[at + 1])) {
            at += 2;
            while (at < lines.length && lines[at].includes("|")) at += 1;
            add("table", from, { rows: [line, ...lines.slice(from + 2, at)].map(cells), sides: cells(lines[from + 1]) });
        } else {
            at += 1;
            while (at < lines.length && !isBlank(lines[at]) && !startsBlock(lines[at])) at += 1;
            add("paragraph", from, { text: lines.slice(from, at).map((text) => text.trim()).join("\n") });
        }
    }
    return blocks;
}

/** Items from line `at` on, each as the lines within it. */
function parseList(lines, at) {
    const first = marker.exec(lines[at]);
    const isOrdered = /\d/.test(first[2]);
    const items = [];
    let isLoose = false;
    while (at < lines.length) {
        const match = marker.exec(lines[at]);
        if (!match || match[1].length !== first[1].length || /\d/.test(match[2]) !== isOrdered || isRule(lines[at])) break;
        const indent = match[1].length + match[2].length + 1;
        const item = [lines[at].slice(indent)];
        at += 1;
        while (at < lines.length) {
            const next = lines[at];
            const depth = next.length - next.trimStart().length;
            if (isBlank(next)) {
                const following = lines[at + 1];
                if (following === undefined || isBlank(following)) break;
                const isInside = following.length - following.trimStart().length > match[1].length;
                if (!isInside && !marker.test(following)) break;
                isLoose = true;
                if (!isInside) {
                    at += 1;
                    break;
                }
                item.push("");
            } else if (depth > match[1].length) {
                item.push(next.slice(Math.min(indent, depth)));
            } else if (startsBlock(next)) {
                break;
            } else {
                item.push(next);
            }
            at += 1;
        }
        items.push(item);
    }
    return { isOrdered, isLoose, start: isOrdered ? parseInt(first[2], 10) : 1, items, end: at };
}

function build(block, depth) {
    switch (block.type) {
    case "code": return buildCode(block);
    case "heading": return el(`h${Math.min(block.level + 2, 6)}`, {}, ...inline(block.text));
    case "rule": return el("hr");
    case "quote": return el("blockquote", {}, ...nested(block.lines, depth));
    case "list": return el(block.isOrdered ? "ol" : "ul", { start: block.start === 1 ? null : block.start },
        ...block.items.map((item) => el("li", {}, ...listItem(item, block.isLoose, depth))));
    case "table": return buildTable(block);
    default: return el("p", {}, ...inline(block.text));
    }
}

function nested(lines, depth) {
    // Deeper than anybody writes: shown as it stands.
    if (depth >= deepest) return [el("p", {}, lines.join("\n"))];
    return parseBlocks(lines).map((block) => build(block, depth + 1));
}

function listItem(lines, isLoose, depth) {
    const nodes = nested(lines, depth);
    return nodes.flatMap((node) => (!isLoose && node.tagName === "P" ? [...node.childNodes] : [node]));
}

function buildCode(block) {
    const code = el("code", {}, block.text);
    const label = el("span", {}, "Copy");
    const figure = el("figure", { class: "listing" });
    figure.minkeText = block.text;
    const copy = el("button", {
        type: "button", class: "quiet", "aria-label": "Copy the code",
        onclick: async () => {
            label.textContent = (await copyText(figure.minkeText)) ? "Copied" : "Not copied";
            setTimeout(() => { label.textContent = "Copy"; }, 1500);
        },
    }, icon("copy"), label);
    figure.append(el("figcaption", {}, el("span", {}, block.language || "code"), copy),
        el("pre", { tabindex: "0" }, code));
    return figure;
}

function buildTable(block) {
    const [head, ...rows] = block.rows;
    const side = (index) => {
        const text = block.sides[index] ?? "";
        return text.endsWith(":") ? (text.startsWith(":") ? "middle" : "right") : null;
    };
    const row = (texts, tag) => el("tr", {},
        ...head.map((_, index) => el(tag, { class: side(index) }, ...inline(texts[index] ?? ""))));
    return el("div", { class: "table", tabindex: "0" },
        el("table", {}, el("thead", {}, row(head, "th")), el("tbody", {}, ...rows.map((texts) => row(texts, "td")))));
}

// MARK: Inline

const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
const isSpace = (character) => character === undefined || /\s/.test(character);
const tags = { "*": "em", "_": "em", "**": "strong", "__": "strong", "~~": "del" };

/** Nodes and strings for `text`. */
function inline(text, depth = 0) {
    const nodes = [];
    /** For a mark, how far no end of it was found: what opens within need not look there again. */
    const barren = {};
    let plain = "";
    let at = 0;
    while (at < text.length) {
        const character = text[at];
        const found = depth < deepest ? special(text, at, depth, barren) : null;
        if (found) {
            if (plain) nodes.push(plain);
            plain = "";
            nodes.push(found.node);
            at = found.end;
        } else if (character === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
            plain += text[at + 1];
            at += 2;
        } else if ("`*_~".includes(character)) {
            // A run that opened nothing is taken whole, so that its rest opens nothing either.
            const run = runLength(text, at);
            plain += text.slice(at, at + run);
            at += run;
        } else {
            plain += character;
            at += 1;
        }
    }
    if (plain) nodes.push(plain);
    return nodes;
}

/** What begins at `at`, with where it ends; null where that is plain text. */
function special(text, at, depth, barren) {
    switch (text[at]) {
    case "\n": return { node: el("br"), end: at + 1 };
    case "`": {
        const span = codeSpan(text, at, barren);
        return span && { node: el("code", {}, span.code), end: span.end };
    }
    case "*": case "_": case "~": return emphasis(text, at, depth, barren);
    case "!": return text[at + 1] === "[" ? link(text, at + 1, depth, barren) : null;
    case "[": return link(text, at, depth, barren);
    case "<": {
        const end = text.slice(at, at + 2000).indexOf(">");
        return end > 0 ? anchor(text.slice(at + 1, at + end), null, at + end + 1) : null;
    }
    case "h": return isWord(text[at - 1]) ? null : bareLink(text, at);
    default: return null;
    }
}

function runLength(text, at) {
    let end = at;
    while (text[end] === text[at] && end < text.length) end += 1;
    return end - at;
}

function codeSpan(text, at, barren) {
    const run = runLength(text, at);
    const key = `code ${run}`;
    const limit = Math.min(text.length, at + reach);
    let end = Math.max(at + run, barren[key] ?? 0);
    while (end < limit) {
        if (text[end] !== "`") {
            end += 1;
            continue;
        }
        const closing = runLength(text, end);
        if (closing === run) {
            let code = text.slice(at + run, end).replaceAll("\n", " ");
            if (code.startsWith(" ") && code.endsWith(" ") && code.trim()) code = code.slice(1, -1);
            return { code, end: end + run };
        }
        end += closing;
    }
    barren[key] = limit;
    return null;
}

function emphasis(text, at, depth, barren) {
    const character = text[at];
    const run = runLength(text, at);
    if (run > 3 || (character === "~" && run !== 2) || isSpace(text[at + run])) return null;
    if (character === "_" && isWord(text[at - 1])) return null;
    const key = character.repeat(run);
    const limit = Math.min(text.length, at + reach);
    let end = Math.max(at + run, barren[key] ?? 0);
    while (end < limit) {
        if (text[end] === "`") {
            // Marks within code are code.
            end = codeSpan(text, end, barren)?.end ?? end + runLength(text, end);
            continue;
        }
        if (text[end] !== character) {
            end += text[end] === "\\" ? 2 : 1;
            continue;
        }
        const closing = runLength(text, end);
        const closes = !isSpace(text[end - 1]) && !(character === "_" && isWord(text[end + closing]));
        if (closes && (closing === run || (closing === 3 && run < 3))) {
            const inner = inline(text.slice(at + run, end + closing - run), depth + 1);
            const node = run === 3 ? el("strong", {}, el("em", {}, ...inner)) : el(tags[key], {}, ...inner);
            return { node, end: end + closing };
        }
        end += closing;
    }
    barren[key] = limit;
    return null;
}

/** `[label](address)`: a label of a few hundred characters, an address of at most two thousand. */
function link(text, at, depth, barren) {
    const close = balanced(text, at, "[", "]", 500, barren);
    if (close === null || text[close + 1] !== "(") return null;
    const end = balanced(text, close + 1, "(", ")", 2000, barren);
    if (end === null) return null;
    const address = text.slice(close + 2, end).trim().split(/\s/)[0];
    const found = anchor(address, inline(text.slice(at + 1, close), depth + 1), end + 1);
    // What may not be linked still is what the model said.
    return found ?? { node: document.createTextNode(text.slice(at, end + 1)), end: end + 1 };
}

/** Where what opens at `at` closes; null where that is too far. */
function balanced(text, at, open, close, most, barren) {
    const limit = Math.min(text.length, at + most);
    if (limit <= (barren[close] ?? 0)) return null;
    let level = 0;
    let isBarren = true;
    for (let end = at; end < limit; end += 1) {
        if (text[end] === "\\") end += 1;
        else if (text[end] === open) level += 1;
        else if (text[end] === close) {
            isBarren = false;
            level -= 1;
            if (level === 0) return end;
        }
    }
    if (isBarren) barren[close] = limit;
    return null;
}

function bareLink(text, at) {
    const match = /^https?:\/\/[^\s<>"`]{1,2000}/.exec(text.slice(at, at + 2010));
    if (!match) return null;
    let address = match[0].replace(/[.,;:!?*_~'\]]+$/, "");
    if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
    return anchor(address, null, at + address.length);
}

function anchor(address, label, end) {
    if (!/^https?:\/\/[^\s]+$/i.test(address)) return null;
    let url;
    try {
        url = new URL(address);
    } catch {
        return null;
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") return null;
    const node = el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" });
    node.append(...(label?.length ? label : [address]));
    for (const inner of node.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
    return { node, end };
}
