// The run page: follows a training run's metrics and draws what it has become.

import { el, apiKey, whole, dollars, duration, count } from "./dom.js";
import { Run } from "./series.js";
import { plot, heatMap, heatScale } from "./plot.js";

const byId = (id) => document.getElementById(id);

let run = new Run();
let settings = {};
let facts = {};
let cursor = "";
/** When the run was last seen writing, in milliseconds of this page's clock. */
let written = null;
let failures = 0;

// MARK: Following

/** Takes in what is new. Returns whether more is waiting already. */
async function take() {
    const response = await fetch(`runs/metrics${cursor ? `/${cursor}` : ""}`, { cache: "no-store", headers: apiKey.headers });
    if (response.status === 401 || response.status === 403) throw new Error("key");
    if (!response.ok) throw new Error(`The server cannot tell how the run goes (${response.status}).`);
    const news = await response.json();
    if (news.restarted) run = new Run();
    if (news.settings) settings = news.settings;
    for (const line of news.lines) run.add(line);
    cursor = news.cursor;
    written = news.age_seconds === null ? null : performance.now() - 1000 * news.age_seconds;
    byId("name").textContent = news.name || "Training run";
    return { hasMore: news.more, isChanged: news.lines.length > 0 || news.restarted };
}

async function follow() {
    let pause = 2000;
    try {
        let isChanged = cursor === "";
        for (let hasMore = true; hasMore;) {
            const news = await take();
            isChanged ||= news.isChanged;
            hasMore = news.hasMore;
        }
        failures = 0;
        problem("");
        if (isChanged) draw();
        showState();
        // A run that is over still writes its last validation and sample.
        if (document.hidden || (isDone() && silence() > 30)) pause = 10_000;
    } catch (error) {
        failures += 1;
        const isUnreachable = error instanceof TypeError;
        if (error.message === "key") problem(apiKey.get() ? "The server did not accept the API key." : "This server asks for an API key.", true);
        else problem(isUnreachable ? "The server cannot be reached; what was seen last stays here. Trying again…" : error.message);
        showState(true);
        pause = error.message === "key" ? null : Math.min(2000 * failures, 15_000);
    }
    if (pause !== null) setTimeout(follow, pause);
}

/** Steps of the whole run, as far as it is known. */
const totalSteps = () => run.latest.total_steps ?? settings.steps ?? 0;

const isDone = () => totalSteps() > 0 && run.latest.step >= totalSteps();

/** The usual time between two lines, in seconds. */
const stepSeconds = () => (run.latest.seconds ?? 0) / Math.max(1, run.latest.step ?? 1);

/** Seconds since the run was last seen writing. */
const silence = () => (written === null ? Infinity : (performance.now() - written) / 1000);

function showState(isLost = false) {
    const chip = byId("state");
    const age = silence();
    const [name, text] = isLost ? ["lost", "no connection"]
        : run.lines === 0 ? ["", "waiting"]
            : isDone() ? ["done", "finished"]
                : age < Math.max(60, 10 * stepSeconds()) ? ["live", "training"] : ["", `silent for ${duration(age)}`];
    chip.className = `chip ${name}`;
    if (chip.textContent !== text) chip.textContent = text;
}

function problem(text, asksKey = false) {
    byId("problem").hidden = !text;
    byId("problem-text").textContent = text;
    byId("key-form").hidden = !asksKey;
}

// MARK: Drawing

function draw() {
    const isEmpty = run.lines === 0;
    byId("waiting").hidden = !isEmpty;
    byId("content").hidden = isEmpty;
    describeModel();
    if (isEmpty) return;
    drawProgress();
    drawFigures();
    const { loss, validation, bits, speed, rate } = run.curves;
    const isValidated = validation.points.length > 0;
    const fixed = (value) => value.toFixed(3);
    const drawn = [
        plot({
            id: "loss", title: "Loss", yLabel: "nats per token", format: fixed, curves: [
                { name: "training", points: loss.points, colour: 1, isFaint: isValidated, isSmooth: !isValidated },
                { name: "validation", points: validation.points, colour: 0 }],
        }),
        plot({
            id: "bits", title: "Bits per byte", yLabel: "validation, bits per byte of text", format: fixed,
            curves: [{ name: "validation", points: bits.points, colour: 0 }],
        }),
        plot({
            id: "speed", title: "Speed", yLabel: "tokens per second, and their moving mean", includesZero: true,
            cropsStart: false, format: count, curves: [{ name: "tokens/s", points: speed.points, colour: 2, isSmooth: true }],
        }),
        plot({
            id: "rate", title: "Learning rate", yLabel: "share of the highest", includesZero: true, cropsStart: false,
            format: fixed, curves: [{ name: "rate", points: rate.points, colour: 3 }],
        }),
    ];
    byId("plots").replaceChildren(...drawn.filter(Boolean));
    const layers = [...run.loads].sort(([one], [other]) => Number(one) - Number(other));
    byId("experts").hidden = layers.length === 0;
    byId("heats").replaceChildren(...layers.map(([layer, loads]) => heatMap(layer, loads)));
    byId("sample").hidden = run.sample === null;
    if (run.sample) {
        byId("sample-step").textContent = `After step ${whole(run.sample.step ?? 0)}`;
        byId("sample-text").textContent = run.sample.text;
    }
    drawSettings();
}

function describeModel() {
    const parts = [];
    if (settings.num_hidden_layers) parts.push(`${settings.num_hidden_layers} layers`);
    if (settings.hidden_size) parts.push(`width ${settings.hidden_size}`);
    if (settings.n_routed_experts > 0) {
        parts.push(`${settings.n_routed_experts} experts, ${settings.num_experts_per_tok} a token`);
    }
    byId("model").textContent = parts.join(", ");
}

function drawProgress() {
    const { step = 0 } = run.latest;
    const total = totalSteps();
    byId("progress").hidden = !total;
    if (total) byId("progress").value = Math.min(1, step / total);
    byId("progress-text").textContent = total
        ? `Step ${whole(step)} of ${whole(total)}, ${Math.floor(100 * Math.min(1, step / total))} %` : `Step ${whole(step)}`;
    document.title = `${total ? `${Math.floor(100 * Math.min(1, step / total))} % ` : ""}${byId("name").textContent} – Minke`;
}

function drawFigures() {
    const { latest, curves } = run;
    const total = totalSteps();
    const cards = [];
    const add = (label, value, note) => cards.push(el("div", {}, el("dt", {}, label),
        el("dd", { class: "value" }, value), note ? el("dd", { class: "note" }, note) : null));
    if (curves.validation.last !== null) add("Validation loss", curves.validation.last.toFixed(3), "nats per token");
    if (curves.loss.last !== null) add("Training loss", curves.loss.last.toFixed(3), "last step");
    if (curves.bits.last !== null) add("Bits per byte", curves.bits.last.toFixed(3));
    if (curves.speed.last !== null) add("Speed", `${count(curves.speed.last)}`, "tokens per second");
    if (latest.tokens > 0) add("Tokens", count(latest.tokens));
    if (total > 0) {
        const left = Math.max(0, total - latest.step) * stepSeconds();
        if (isDone()) add("Training time", duration(latest.seconds));
        else add("Time left", duration(left), `done about ${clock(left)}`);
    }
    const cost = latest.dollars ?? (latest.cpu_seconds / 3600) * facts.price_per_core_hour;
    if (Number.isFinite(cost)) {
        const share = total > 0 && latest.step > 0 ? latest.step / total : 1;
        add("Cost so far", dollars(cost), share < 1 ? `about ${dollars(cost / share)} in the end` : null);
    }
    if (latest.cpu_seconds > 0) add("CPU time", duration(latest.cpu_seconds));
    if (latest.rate !== undefined) {
        const rate = (highest) => Number((latest.rate * highest).toPrecision(3)).toString();
        if (typeof settings.learning_rate === "number") {
            const muon = settings.muon && typeof settings.muon_learning_rate === "number";
            add("Learning rate", rate(settings.learning_rate), muon ? `Muon ${rate(settings.muon_learning_rate)}` : null);
        }
    }
    if (latest.gradient_norm !== undefined) add("Gradient norm", Number(latest.gradient_norm.toPrecision(3)).toString());
    byId("figures").replaceChildren(...cards);
}

/** The time of day in so many seconds, with the day where it is not today. */
function clock(seconds) {
    const then = new Date(Date.now() + 1000 * seconds);
    const isToday = then.toDateString() === new Date().toDateString();
    return then.toLocaleString("en-GB", { hour: "2-digit", minute: "2-digit", ...(isToday ? {} : { day: "numeric", month: "short" }) });
}

function drawSettings() {
    const rows = [];
    for (const [key, value] of Object.entries(settings)) {
        if (value === null || typeof value === "object") continue;
        rows.push(el("div", {}, el("dt", {}, key), el("dd", {}, String(value))));
    }
    byId("settings").hidden = rows.length === 0;
    byId("setting-list").replaceChildren(...rows);
}

byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    apiKey.set(byId("key").value.trim());
    follow();
});
byId("scale").replaceChildren(...heatScale());
fetch("pages/settings", { cache: "no-store" }).then((response) => (response.ok ? response.json() : {})).catch(() => ({}))
    .then((told) => {
        facts = told;
        byId("chat-link").hidden = !told.model;
        return follow();
    });
