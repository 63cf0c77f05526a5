// Curves and heat maps as SVG, in the manner of the report that a run ends with.

import { el, svg, count, whole } from "./dom.js";

const [width, height, left, right, top, bottom] = [560, 308, 58, 14, 38, 50];

/** Steps of 1, 2 or 5 times a power of ten, about `wanted` of them. */
function ticks(low, high, wanted) {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
    const marks = [];
    for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
        marks.push(Number((index * step).toPrecision(12)));
    }
    return { step, marks };
}

function axis(values, { includesZero = false, isRounded = false } = {}) {
    let low = Math.min(...values);
    let high = Math.max(...values);
    if (includesZero) low = Math.min(low, 0);
    if (low === high) {
        high += high === 0 ? 1 : Math.abs(high) * 0.1;
        low -= includesZero && low === 0 ? 0 : high - low;
    }
    const { step, marks } = ticks(low, high, isRounded ? 5 : 7);
    if (!isRounded) return { low, high, marks };
    low = Math.floor(low / step + 1e-9) * step;
    high = Math.ceil(high / step - 1e-9) * step;
    return { low, high, marks: ticks(low, high, (high - low) / step).marks };
}

/** Each point's mean with its neighbours, a twenty-fifth of the points together. */
function smoothed(points) {
    const widest = Math.floor(points.length / 50);
    const sums = [0];
    for (const point of points) sums.push(sums.at(-1) + point[1]);
    return points.map((point, index) => {
        const reach = Math.min(widest, index, points.length - 1 - index);
        return [point[0], (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)];
    });
}

/** Of each stretch its lowest and its highest, so that spikes stay visible. */
function thinned(points, limit = 600) {
    if (points.length <= limit) return points;
    const stretches = limit / 2;
    const kept = [points[0]];
    for (let stretch = 0; stretch < stretches; stretch += 1) {
        const part = points.slice(
            Math.floor(points.length * stretch / stretches), Math.floor(points.length * (stretch + 1) / stretches));
        if (part.length === 0) continue;
        const low = part.reduce((least, point) => (point[1] < least[1] ? point : least));
        const high = part.reduce((most, point) => (point[1] > most[1] ? point : most));
        kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
    }
    return [...kept, points.at(-1)];
}

const said = (value) => (Math.abs(value) >= 1000 || value === 0 ? count(value) : Number(value.toPrecision(4)).toString());

/**
 * A plot over tokens.
 *
 * `curves` is a list of `{name, points, colour, isFaint, isSmooth}`; a smooth one is its moving mean, with itself faint
 * behind it.
 */
export function plot({ id, title, yLabel, curves, includesZero = false, cropsStart = true, format = said }) {
    const shown = curves.filter((curve) => curve.points.length > 0).flatMap((curve) => (curve.isSmooth
        ? [{ ...curve, name: "", isFaint: true }, { ...curve, points: smoothed(curve.points) }] : [curve]));
    if (shown.length === 0) return null;
    const points = shown.flatMap((curve) => curve.points);
    const x = axis(points.map((point) => point[0]), { includesZero: true });
    let y = axis(points.map((point) => point[1]), { includesZero, isRounded: true });
    let label = yLabel;
    const later = points.filter((point) => point[0] >= x.low + 0.05 * (x.high - x.low));
    if (cropsStart && later.length > 3) {
        // A steep start may leave the plot at the top, so that the rest can be told apart.
        const tail = axis(later.map((point) => point[1]), { includesZero, isRounded: true });
        if (tail.high - tail.low < 0.6 * (y.high - tail.low)) {
            y = tail;
            label += " (the start lies above)";
        }
    }
    const across = (value) => left + (value - x.low) / (x.high - x.low) * (width - left - right);
    const up = (value) => height - bottom - (value - y.low) / (y.high - y.low) * (height - top - bottom);
    const at = (value) => value.toFixed(1);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-about` });
    const about = shown.filter((curve) => curve.name).map((curve) =>
        `${curve.name} went from ${format(curve.points[0][1])} to ${format(curve.points.at(-1)[1])}.`).join(" ");
    drawing.append(svg("title", { id: `${id}-about` }, `${title}, ${label}, over tokens. ${about}`));
    drawing.append(svg("clipPath", { id: `${id}-clip` },
        svg("rect", { x: 0, y: top - 2, width, height: height - top - bottom + 4 })));
    for (const mark of y.marks) {
        drawing.append(
            svg("path", { class: "grid", d: `M${left} ${at(up(mark))}H${width - right}` }),
            svg("text", { class: "end", x: left - 8, y: at(up(mark) + 4) }, said(mark)));
    }
    for (const mark of x.marks) {
        drawing.append(
            svg("path", { class: "axis", d: `M${at(across(mark))} ${height - bottom}v5` }),
            svg("text", { class: "middle", x: at(across(mark)), y: height - bottom + 20 }, count(mark)));
    }
    drawing.append(
        svg("path", { class: "axis", d: `M${left} ${height - bottom}H${width - right}` }),
        svg("text", { x: 2, y: 15 }, label),
        svg("text", { class: "end", x: width - right, y: height - 8 }, "tokens"));
    // Thin lines first, so that the bold ones lie on top of them.
    for (const curve of [...shown].sort((one, other) => Number(other.isFaint ?? false) - Number(one.isFaint ?? false))) {
        const places = thinned(curve.points).map((point) => [across(point[0]), up(point[1]), point]);
        const group = svg("g", { class: `colour${curve.colour}${curve.isFaint ? " faint" : ""}` },
            svg("path", {
                class: "line", "clip-path": `url(#${id}-clip)`,
                d: places.map(([px, py], index) => `${index ? "L" : "M"}${at(px)} ${at(py)}`).join(""),
            }));
        if (curve.isFaint ? places.length === 1 : places.length <= 40) {
            for (const [px, py, point] of places) {
                if (py < top - 1) continue;
                group.append(svg("circle", { class: "dot", cx: at(px), cy: at(py), r: 3 },
                    svg("title", {}, `${curve.name}: ${format(point[1])} at ${count(point[0])} tokens`)));
            }
        }
        drawing.append(group);
    }
    const legend = shown.filter((curve) => curve.name).map((curve) => el("li",
        { class: `colour${curve.colour}${curve.isFaint ? " faint" : ""}` },
        svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, svg("path", { class: "line", d: "M1 4H23" })),
        el("span", {}, `${curve.name} `, el("span", { class: "muted" }, format(curve.points.at(-1)[1])))));
    return el("figure", { class: "plot" }, el("figcaption", {}, title), el("ul", { class: "legend" }, ...legend), drawing);
}

/** Bounds between the colours, as powers of two of the relative load. */
const bounds = [-2, -1, -0.5, -0.2, 0.2, 0.5, 1, 2];
const middle = 4;

function colour(load) {
    if (!Number.isFinite(load)) return middle;
    const power = Math.log2(Math.max(load, 1e-9));
    const index = bounds.findIndex((bound) => power < bound);
    return index < 0 ? bounds.length : index;
}

/** Which colours mean which load. */
export function heatScale() {
    return [el("span", {}, "¼× or less"),
        el("span", { class: "swatches" }, ...Array.from({ length: bounds.length + 1 }, (_, index) => el("i", { class: `heat${index}` }))),
        el("span", {}, "4× or more")];
}

/** How the load of a layer's experts moved: experts downwards, time to the right. */
export function heatMap(layer, loads) {
    const columns = loads.relative;
    const experts = Math.max(...columns.map((column) => column.length));
    const [inset, cellsWidth] = [32, 260];
    const cellHeight = Math.min(Math.max(150 / experts, 1.5), 14);
    const tall = cellHeight * experts;
    const paths = Array.from({ length: bounds.length + 1 }, () => "");
    const at = (value) => value.toFixed(1);
    const cellWidth = cellsWidth / columns.length;
    for (let expert = 0; expert < experts; expert += 1) {
        // Neighbours in time that share a colour are one rectangle.
        for (let start = 0, end; start < columns.length; start = end) {
            const shade = colour(columns[start][expert]);
            for (end = start + 1; end < columns.length && colour(columns[end][expert]) === shade; end += 1);
            if (shade === middle) continue;
            const wide = at((end - start) * cellWidth);
            paths[shade] += `M${at(inset + start * cellWidth)} ${at(6 + expert * cellHeight)}h${wide}v${at(cellHeight)}h-${wide}z`;
        }
    }
    const now = columns.at(-1).filter(Number.isFinite);
    const idle = now.filter((load) => load < 0.01).length;
    const summary = now.length === 0 ? "no load"
        : `${Math.min(...now).toFixed(2)}× to ${Math.max(...now).toFixed(2)}×${idle ? `, ${idle} idle` : ""}`;
    const floor = 6 + tall;
    const drawing = svg("svg", { viewBox: `0 0 ${inset + cellsWidth + 8} ${at(floor + 22)}`, role: "img",
        "aria-label": `Load of ${experts} experts of layer ${layer} over the run, relative to their mean. Now: ${summary}.` },
    svg("rect", { class: `heat${middle}`, x: inset, y: 6, width: cellsWidth, height: at(tall) }),
    ...paths.map((d, index) => [d, index]).filter(([d]) => d).map(([d, index]) => svg("path", { class: `heat${index}`, d })),
    svg("text", { class: "end", x: inset - 6, y: 15 }, "0"),
    svg("text", { class: "end", x: inset - 6, y: at(floor) }, experts > 1 && tall > 24 ? String(experts - 1) : ""),
    svg("text", { x: inset, y: at(floor + 16) }, `step ${whole(loads.first)}`),
    svg("text", { class: "end", x: inset + cellsWidth, y: at(floor + 16) }, whole(loads.last)));
    return el("figure", { class: "heat" },
        el("figcaption", {}, `Layer ${layer} `, el("span", { class: "muted" }, summary)), drawing);
}
