// A run's numbers as they arrive, kept small enough for a run of any length.

/** Points of the curves are merged in pairs beyond this many. */
const mostPoints = 4000;
/** Columns of the heat maps are merged in pairs beyond this many. */
const mostColumns = 104;

/** A curve whose neighbouring points become their mean when there are too many. */
class Curve {
    points = [];
    /** How many values make a point. */
    share = 1;
    waiting = [];
    last = null;

    add(x, y) {
        if (!Number.isFinite(x) || !Number.isFinite(y)) return;
        this.last = y;
        this.waiting.push([x, y]);
        if (this.waiting.length < this.share) return;
        this.points.push(mean(this.waiting));
        this.waiting = [];
        if (this.points.length < mostPoints) return;
        this.points = pairs(this.points).map(mean);
        this.share *= 2;
    }
}

const pairs = (list) => Array.from({ length: Math.ceil(list.length / 2) }, (_, index) => list.slice(2 * index, 2 * index + 2));

function mean(points) {
    return [points.at(-1)[0], points.reduce((sum, point) => sum + point[1], 0) / points.length];
}

/** The load of one layer's experts over the run. */
class Loads {
    columns = [];
    share = 1;
    first = null;
    last = 0;
    newest = null;

    add(step, loads) {
        this.first ??= step;
        this.last = step;
        this.newest = loads;
        const column = this.columns.at(-1);
        if (column && column.steps < this.share) merge(column, { steps: 1, sums: loads });
        else this.columns.push({ steps: 1, sums: [...loads] });
        if (this.columns.length <= mostColumns) return;
        this.columns = pairs(this.columns).map(([left, right]) => {
            if (right) merge(left, right);
            return left;
        });
        this.share *= 2;
    }

    /** Each column's loads relative to their mean. */
    get relative() {
        return this.columns.map(({ sums }) => {
            const average = sums.reduce((sum, load) => sum + load, 0) / sums.length;
            return sums.map((load) => (average > 0 ? load / average : NaN));
        });
    }
}

function merge(column, other) {
    column.steps += other.steps;
    other.sums.forEach((load, expert) => { column.sums[expert] = (column.sums[expert] ?? 0) + load; });
}

/** All that is known of a run. */
export class Run {
    curves = Object.fromEntries(
        ["loss", "validation", "bits", "speed", "rate"].map((name) => [name, new Curve()]));
    loads = new Map();
    sample = null;
    /** The newest line of a step, and of any kind. */
    latest = {};
    lines = 0;

    add(line) {
        if (line === null || typeof line !== "object") return;
        this.lines += 1;
        const { step, tokens } = line;
        if (typeof line.sample === "string") this.sample = { step, text: line.sample };
        for (const [key, value] of Object.entries(line)) if (typeof value === "number") this.latest[key] = value;
        this.curves.loss.add(tokens, line.loss);
        this.curves.validation.add(tokens, line.validation_loss);
        this.curves.bits.add(tokens, line.validation_bits_per_byte);
        this.curves.speed.add(tokens, line.tokens_per_second);
        this.curves.rate.add(tokens, line.rate);
        for (const [layer, loads] of Object.entries(line.expert_load ?? {})) {
            if (!Array.isArray(loads) || !loads.every(Number.isFinite)) continue;
            if (!this.loads.has(layer)) this.loads.set(layer, new Loads());
            this.loads.get(layer).add(step, loads);
        }
    }
}
