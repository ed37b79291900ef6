/** The pictures of a board: what each draws, says in words and lists. */
import type { Leaderboard, LeaderboardEntry, LeaderboardRules, Primary, Split } from '$lib/api/schema';
import { count, counted, percent, percentInterval, scaledText } from '$lib/format/numbers';
import { date } from '$lib/format/time';
import { errorOf, isRanked } from '$lib/leaderboard/rows';
import type { ScaleOptions } from '@observablehq/plot';
import { BELOW, names } from './labels';
import { countScale, cutTo, type Draw, errorScale, frame, HALO, scaledTick, textWidth, timeScale, typeSize, wholeTicks, wordedAxis } from './plot';
import type { Cell, ChartTable } from './table';

export interface BoardFigure {
    title: string;
    summary: string;
    filename: string;
    draw: Draw;
    table: ChartTable;
    note: string;
    /** Where a point leads. */
    addressOf: (datum: unknown) => string | null;
}

/** A picture that cannot be drawn yet, and why. */
export interface MissingFigure {
    title: string;
    missing: string;
}

export interface BoardPicture {
    slug: string;
    primary: Primary;
    reference: LeaderboardRules['reference'];
    publicBoard: Leaderboard;
    /** `null` before the close. */
    privateBoard: Leaderboard | null;
    /** The board of all pictures but the one that compares the two. */
    shown: Split;
}

interface Point {
    entry: LeaderboardEntry;
    error: number;
    interval: readonly number[];
    time: Date;
    label: string;
    kind: 'prediction files' | 'models' | 'unranked';
}

const COLOURS: Record<Point['kind'], string> = { 'prediction files': 'var(--series-1)', models: 'var(--series-2)', unranked: 'var(--ink-faint)' };

/** The colours of the kinds of entries that there are, with a legend where there are several. */
function colours(points: readonly Point[]): { domain: string[]; range: string[]; legend: boolean } {
    const present = Object.entries(COLOURS).filter(([kind]) => points.some((point) => point.kind === kind));
    return { domain: present.map(([kind]) => kind), range: present.map(([, colour]) => colour), legend: present.length > 1 };
}

/** The five pictures, in their order. */
export function figuresOf(picture: BoardPicture): (BoardFigure | MissingFigure)[] {
    const points = boardOf(picture).entries.map((entry) => pointOf(entry, picture.primary));
    return [errorByTime(points, picture), errorAgainst('macs', points, picture), errorAgainst('depth', points, picture), publicAgainstPrivate(picture), intervals(points, picture)];
}

function boardOf({ publicBoard, privateBoard, shown }: BoardPicture): Leaderboard {
    return shown === 'private' && privateBoard ? privateBoard : publicBoard;
}

/** What titles and summaries say where there are two boards: they are read without the page around them, in files too. */
const where = ({ privateBoard, shown }: BoardPicture): string => (privateBoard ? ` on the ${shown} images` : '');
/** The beginning of a file's name, which tells the two boards apart. */
const fileOf = ({ slug, privateBoard, shown }: BoardPicture): string => (privateBoard ? `${slug}-${shown}` : slug);

/** The entries that were better than everything before them, in the order of time. */
export function frontierByTime<T extends { error: number; time: Date }>(points: readonly T[]): T[] {
    let best = Infinity;
    return [...points]
        .sort((a, b) => a.time.getTime() - b.time.getTime())
        .filter(({ error }) => {
            const isBetter = error < best;
            best = Math.min(best, error);
            return isBetter;
        });
}

/** The models of which none has both a lower cost and a lower error, in the order of cost (Pareto). */
export function frontierByCost<T extends { error: number; value: number }>(models: readonly T[]): T[] {
    let best = Infinity;
    return [...models]
        .sort((a, b) => a.value - b.value || a.error - b.error)
        .filter(({ error }) => {
            const isBetter = error < best;
            best = Math.min(best, error);
            return isBetter;
        });
}

function pointOf(entry: LeaderboardEntry, primary: Primary): Point {
    const kind = !isRanked(entry) ? 'unranked' : entry.kind === 'model' ? 'models' : 'prediction files';
    return { entry, ...errorOf(entry, primary), time: new Date(entry.submitted_at), label: entry.team, kind };
}

const errorName = (primary: Primary): string => (primary === 'top1' ? 'top-1 error' : 'top-5 error');
const address = ({ submission }: LeaderboardEntry): string => `/submissions/${submission}`;
const link = (entry: LeaderboardEntry): Cell => ({ text: entry.team, href: address(entry) });
/** Of a point in any of the pictures. */
const addressOf = (datum: unknown): string => address((datum as Point).entry);
const tip = ({ entry, error, interval }: Point): string => `${entry.team}\n${entry.method}\n${percent(error)} (${percentInterval(interval)})`;

function errorByTime(points: readonly Point[], picture: BoardPicture): BoardFigure | MissingFigure {
    const { primary, reference } = picture;
    const title = `Error by time${where(picture)}`;
    if (points.length === 0) return { title, missing: 'Nobody is on the board yet.' };
    const frontier = frontierByTime(points.filter(({ entry }) => isRanked(entry)));
    const last = frontier.at(-1);
    const lines = reference ? [reference] : [];
    // The newest leaders are named, as far as there is room.
    const leadersFirst = [...frontier.toReversed(), ...points.filter((point) => !frontier.includes(point))];
    return {
        title,
        addressOf,
        filename: `${fileOf(picture)}-error-by-time`,
        summary: `${counted(points.length, 'entry', 'entries')} by ${errorName(primary)}${where(picture)} and time of submission. ${
            last ? `The best so far is ${percent(last.error)}, by ${last.label} on ${date(last.entry.submitted_at)}; the lead changed ${counted(frontier.length - 1, 'time')}.` : ''
        }${reference ? ` For comparison, ${reference.label}: ${percent(reference.error)}.` : ''}`,
        note: `Each entry that stands on the board. The line is the best ${errorName(primary)} so far.`,
        draw: (Plot, width) => {
            const y = errorScale([...points.map(({ error }) => error), ...lines.map(({ error }) => error)], errorName(primary));
            return Plot.plot({
                ...frame(width),
                x: timeScale(points.map(({ time }) => time), spanOf(points), width),
                y,
                color: colours(points),
                marks: [
                    wordedAxis(Plot, 'y', y),
                    Plot.ruleY(lines, { y: 'error', stroke: 'var(--series-3)', strokeDasharray: '5 4' }),
                    Plot.text(lines, { y: 'error', text: 'label', dy: -7, ...emptyEnd(points, lines), fill: 'var(--series-3)', ...HALO }),
                    Plot.dot(points, { x: 'time', y: 'error', fill: 'kind', r: points.length < 500 ? 4.5 : 2.5, stroke: 'var(--surface)' }),
                    Plot.line(extended(frontier, points), { x: 'time', y: 'error', curve: 'step-after', stroke: 'var(--ink)', strokeWidth: 1.5 }),
                    names(Plot, leadersFirst, { x: 'time', y: 'error', text: (point) => (frontier.includes(point) ? point.label : ''), fontSize: typeSize(width), sides: BELOW }),
                    Plot.tip(points, Plot.pointer({ x: 'time', y: 'error', title: tip })),
                ],
            });
        },
        table: {
            columns: [{ title: 'Date' }, { title: 'Team' }, { title: 'Method' }, { title: errorName(primary), isNumber: true }, { title: 'Best so far' }],
            rows: [...points]
                .sort((a, b) => a.time.getTime() - b.time.getTime())
                .map((point) => [date(point.entry.submitted_at), link(point.entry), point.entry.method, percent(point.error), frontier.includes(point) ? 'yes' : '']),
        },
    };
}

/** The end of a line across the chart at which fewer points are in the way of its name. */
function emptyEnd(points: readonly Point[], [line]: readonly { error: number }[]): { frameAnchor: 'left' | 'right'; textAnchor: 'start' | 'end' } {
    const times = points.map(({ time }) => time.getTime());
    const middle = (Math.min(...times) + Math.max(...times)) / 2;
    const near = points.filter(({ error }) => line && Math.abs(Math.log(error / line.error)) < 0.3);
    const early = near.filter(({ time }) => time.getTime() < middle).length;
    return early < near.length - early ? { frameAnchor: 'left', textAnchor: 'start' } : { frameAnchor: 'right', textAnchor: 'end' };
}

/** What an axis of hours does not say: the day. */
function spanOf(points: readonly Point[]): string | null {
    const days = new Set(points.map(({ entry }) => date(entry.submitted_at)));
    const [day] = days;
    return days.size === 1 && day !== undefined ? day : null;
}

/** The frontier, led on to the last entry: the best so far still holds there. */
function extended(frontier: readonly Point[], points: readonly Point[]): { time: Date; error: number }[] {
    const last = frontier.at(-1);
    if (!last) return [];
    const end = new Date(Math.max(...points.map(({ time }) => time.getTime())));
    return [...frontier.map(({ time, error }) => ({ time, error })), { time: end, error: last.error }];
}

/** Error against what a model costs; its area is its parameters (after Canziani, Paszke and Culurciello 2016). */
function errorAgainst(what: 'macs' | 'depth', points: readonly Point[], picture: BoardPicture): BoardFigure | MissingFigure {
    const { primary } = picture;
    const title = `Error against ${what === 'macs' ? 'operations' : 'depth'}${where(picture)}`;
    const models = points.flatMap((point) => {
        const value = point.entry.model?.[what];
        return typeof value === 'number' ? [{ ...point, value, parameters: point.entry.model?.parameters ?? 0 }] : [];
    });
    if (models.length === 0) {
        return { title, missing: 'For models only, of which none is on the board: what a file of predictions cost, it does not say.' };
    }
    const byCost = [...models].sort((a, b) => a.value - b.value);
    // On both, those that no other beats come first.
    const frontier = frontierByCost(models);
    const byError = [...frontier, ...models.filter((model) => !frontier.includes(model)).sort((a, b) => a.error - b.error)];
    const best = models.reduce((a, b) => (b.error < a.error ? b : a));
    const axis = what === 'macs' ? 'multiply-accumulates of one image' : 'weight layers from input to output';
    const shown = (value: number): string => (what === 'macs' ? scaledText(value) : count(value));
    const values = models.map(({ value }) => value);
    const costScale = (all: readonly number[]): ScaleOptions =>
        what === 'depth' ? { type: 'linear', label: axis, grid: true, ticks: wholeTicks(all), tickFormat: 'd' }
        : Math.max(...all) / Math.min(...all) > 5 ? countScale(all, axis)
        : { type: 'linear', label: axis, grid: true, ticks: 5, tickFormat: scaledTick };
    /** For the largest circle, and for names beside the outer ones. */
    const room = (width: number): number => (width < 500 ? 20 : 36);
    return {
        title,
        addressOf,
        filename: `${fileOf(picture)}-error-against-${what === 'macs' ? 'operations' : 'depth'}`,
        summary: `${counted(models.length, 'model')} by ${axis} and ${errorName(primary)}${where(picture)}. The lowest error, ${percent(best.error)}, is that of ${best.label} with ${shown(best.value)}.`,
        note: `The dotted line joins the models that no other beats in both. Area = parameters${what === 'macs' ? ', after Canziani, Paszke and Culurciello (2016); convolutions and matrix products only, at batch 1' : ''}.`,
        draw: (Plot, width) => {
            const x = { ...costScale(values), inset: room(width) };
            const y = errorScale(models.map(({ error }) => error), errorName(primary), { inset: room(width) });
            return Plot.plot({
                ...frame(width),
                x,
                y,
                r: { range: [0, width < 500 ? 16 : 24] },
                color: colours(models),
                marks: [
                    wordedAxis(Plot, 'x', x),
                    wordedAxis(Plot, 'y', y),
                    Plot.line(frontier, { x: 'value', y: 'error', stroke: 'var(--ink-faint)', strokeDasharray: '2 4' }),
                    Plot.dot(models, { x: 'value', y: 'error', r: 'parameters', fill: 'kind', fillOpacity: 0.35, stroke: 'kind', sort: { channel: '-r' } }),
                    // What is too small for its area to be seen still has a middle.
                    Plot.dot(models, { x: 'value', y: 'error', r: 1.5, fill: 'kind' }),
                    names(Plot, byError, { x: 'value', y: 'error', text: ({ label }) => label, r: 'parameters', fontSize: typeSize(width) }),
                    Plot.tip(models, Plot.pointer({ x: 'value', y: 'error', title: (model) => `${tip(model)}\n${shown(model.value)}, ${scaledText(model.parameters)} parameters` })),
                ],
            });
        },
        table: {
            columns: [{ title: 'Team' }, { title: 'Method' }, { title: axis, isNumber: true }, { title: 'Parameters', isNumber: true }, { title: errorName(primary), isNumber: true }],
            rows: byCost.map((model) => [link(model.entry), model.entry.method, what === 'macs' ? { quantity: model.value } : count(model.value), { quantity: model.parameters }, percent(model.error)]),
        },
    };
}

function publicAgainstPrivate({ slug, primary, publicBoard, privateBoard }: BoardPicture): BoardFigure | MissingFigure {
    const title = 'Public against private error';
    if (!privateBoard) return { title, missing: 'After the close, when the private scores are released.' };
    const onPublic = new Map(publicBoard.entries.map((entry) => [entry.submission, entry]));
    const pairs = privateBoard.entries.flatMap((entry) => {
        const counterpart = onPublic.get(entry.submission);
        return counterpart ? [{ ...pointOf(entry, primary), before: errorOf(counterpart, primary).error }] : [];
    });
    if (pairs.length === 0) return { title, missing: 'No submission stands on both boards.' };
    const worse = pairs.filter(({ error, before }) => error > before).length;
    const all = pairs.flatMap(({ error, before, interval }) => [error, before, ...interval]);
    const scale = (ticks: number): ScaleOptions => ({ domain: [Math.min(...all), Math.max(...all)], ...errorScale(all, '', { ticks }) });
    return {
        title,
        addressOf,
        filename: `${slug}-public-against-private`,
        summary: `${counted(pairs.length, 'submission')} by ${errorName(primary)} on the public and on the private images: ${worse} did worse on the private one, ${pairs.length - worse} did not.`,
        note: 'On the diagonal both errors are equal. Above it, a submission did worse where nobody could look.',
        draw: (Plot, width) => {
            // The same errors at the same places on both axes, so that the diagonal is one; across there is room for fewer words.
            const x = { ...scale(Math.min(9, width / 70)), label: `public ${errorName(primary)}` };
            const y = { ...scale(9), label: `private ${errorName(primary)}` };
            return Plot.plot({
                ...frame(width, Math.round(Math.min(560, width * 0.75))),
                x,
                y,
                color: colours(pairs),
                marks: [
                    wordedAxis(Plot, 'x', x),
                    wordedAxis(Plot, 'y', y),
                    Plot.line([Math.min(...all), Math.max(...all)].map((error) => [error, error]), { stroke: 'var(--ink-faint)', strokeDasharray: '5 4' }),
                    Plot.ruleX(pairs, { x: 'before', y1: ({ interval }: Point) => interval[0], y2: ({ interval }: Point) => interval[1], stroke: 'var(--line-strong)' }),
                    Plot.dot(pairs, { x: 'before', y: 'error', fill: 'kind', r: 4.5, stroke: 'var(--surface)' }),
                    names(Plot, pairs, { x: 'before', y: 'error', text: ({ label }) => label, fontSize: typeSize(width) }),
                    Plot.tip(pairs, Plot.pointer({ x: 'before', y: 'error', title: (pair) => `${pair.label}\npublic ${percent(pair.before)}\nprivate ${percent(pair.error)}` })),
                ],
            });
        },
        table: {
            columns: [{ title: 'Team' }, { title: 'Method' }, { title: 'Public', isNumber: true }, { title: 'Private', isNumber: true }, { title: 'Difference', isNumber: true }],
            rows: pairs.map(({ entry, error, before }) => [link(entry), entry.method, percent(before), percent(error), `${error < before ? '−' : '+'}${percent(Math.abs(error - before))}`]),
        },
    };
}

function intervals(points: readonly Point[], picture: BoardPicture): BoardFigure | MissingFigure {
    const { primary, reference } = picture;
    const title = `Intervals of the first twenty${where(picture)}`;
    const first = points.filter(({ entry }) => isRanked(entry)).slice(0, 20);
    if (first.length === 0) return { title, missing: 'Nobody is ranked yet.' };
    const lines = reference ? [reference] : [];
    const errors = [...first.flatMap(({ interval }) => interval), ...lines.map(({ error }) => error)];
    const place = ({ entry }: Point): string => entry.submission;
    const labels = new Map(first.map(({ entry }) => [entry.submission, `${entry.rank}. ${entry.team}`]));
    /** A third of the chart at most; a longer name is cut, as the table has it in full. */
    const room = (width: number): number => Math.min(width / 3, MARGIN + Math.max(...[...labels.values()].map((label) => textWidth(label, typeSize(width)))));
    const MARGIN = 12;
    return {
        title,
        addressOf,
        filename: `${fileOf(picture)}-intervals`,
        summary: `${errorName(primary)} of the first ${first.length}${where(picture)} with 95 % intervals: ${first.slice(0, 3).map((point) => `${point.label} ${percent(point.error)} (${percentInterval(point.interval)})`).join('; ')}.`,
        note: '95 % Wilson intervals. Intervals that overlap may still belong to different ranks: ranks are compared image by image (McNemar).',
        draw: (Plot, width) => {
            const x = errorScale(errors, errorName(primary), { ticks: (width - room(width)) / 50 });
            return Plot.plot({
                ...frame(width, 64 + 26 * first.length),
                marginLeft: room(width),
                marginTop: 12 + 14 * lines.length,
                x,
                y: {
                    type: 'band',
                    domain: first.map(place),
                    label: null,
                    tickSize: 0,
                    tickFormat: (submission: string) => cutTo(labels.get(submission) ?? '', room(width) - MARGIN, typeSize(width)),
                },
                marks: [
                    wordedAxis(Plot, 'x', x),
                    Plot.ruleX(lines, { x: 'error', stroke: 'var(--series-3)', strokeDasharray: '5 4' }),
                    Plot.text(lines, { x: 'error', text: 'label', frameAnchor: 'top', dy: -6, fill: 'var(--series-3)' }),
                    Plot.ruleY(first, { y: place, x1: ({ interval }: Point) => interval[0], x2: ({ interval }: Point) => interval[1], stroke: 'kind', strokeWidth: 6, strokeOpacity: 0.4 }),
                    Plot.dot(first, { y: place, x: 'error', fill: 'kind', r: 4 }),
                    Plot.tip(first, Plot.pointerY({ y: place, x: 'error', title: tip })),
                ],
                color: colours(first),
            });
        },
        table: {
            columns: [{ title: 'Rank', isNumber: true }, { title: 'Team' }, { title: errorName(primary), isNumber: true }, { title: '95 % interval', isNumber: true }],
            rows: first.map(({ entry, error, interval }) => [String(entry.rank), link(entry), percent(error), percentInterval(interval)]),
        },
    };
}
