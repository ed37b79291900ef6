/** The rows of a board, from one or both of a challenge's boards, and which of them a view shows in what order. */
import type { Leaderboard, LeaderboardEntry, Primary } from '$lib/api/schema';
import type { SortKey, View } from './view';

/** A place on the board that is shown, and the same team's place on the other where both are. */
export interface Row {
    entry: LeaderboardEntry;
    /** The team's entry on the public board, where the private one is shown beside it. */
    counterpart: LeaderboardEntry | null;
    /** Places lost (positive) or gained (negative) from the public board to the private one. */
    shift: number | null;
}

/** The rows of one board, in its order. */
export function rowsOf(board: Leaderboard): Row[] {
    return board.entries.map((entry) => ({ entry, counterpart: null, shift: null }));
}

/**
 * The rows of the private board, each with its team's place on the public one. Which submission stands may differ: the
 * public board shows a team's best or latest, the private one what it selected.
 */
export function sideBySide(privateBoard: Leaderboard, publicBoard: Leaderboard): Row[] {
    const counterparts = new Map(publicBoard.entries.map((entry) => [counterpartKey(entry), entry]));
    return privateBoard.entries.map((entry) => {
        const counterpart = counterparts.get(counterpartKey(entry)) ?? null;
        return { entry, counterpart, shift: shiftOf(counterpart?.rank, entry.rank) };
    });
}

/** A team has one ranked entry on a board; baselines and late entries stand beside it, each for itself. */
function counterpartKey(entry: LeaderboardEntry): string {
    return isRanked(entry) ? `team ${entry.team}` : entry.submission;
}

function shiftOf(before: number | null | undefined, after: number | null | undefined): number | null {
    return before === null || before === undefined || after === null || after === undefined ? null : after - before;
}

export function isRanked(entry: LeaderboardEntry): boolean {
    return entry.rank !== null && entry.rank !== undefined;
}

/** The error and the interval that `primary` names. */
export function errorOf(entry: LeaderboardEntry, primary: Primary): { error: number; interval: readonly number[] } {
    return primary === 'top1'
        ? { error: entry.top1_error, interval: entry.top1_interval }
        : { error: entry.top5_error, interval: entry.top5_interval };
}

/** The rows that `view` lets through, in its order. The board's own order decides where values are equal. */
export function visibleRows(rows: readonly Row[], view: View): Row[] {
    const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter(({ entry }) => isShown(entry, view) && matches(entry, words));
    if (view.sort === 'rank') return view.descending ? shown.reverse() : shown;
    return shown
        .map((row) => ({ row, value: sortValue(row, view.sort) }))
        .sort((a, b) => compare(a.value, b.value, view.descending))
        .map(({ row }) => row);
}

function isShown(entry: LeaderboardEntry, view: View): boolean {
    return (
        (view.kind === 'all' || entry.kind === view.kind) &&
        (view.entries === 'all' || (view.entries === 'ranked') === isRanked(entry)) &&
        (view.data === 'all' || !entry.outside_data)
    );
}

function matches(entry: LeaderboardEntry, words: readonly string[]): boolean {
    const text = [entry.team, entry.method, entry.model?.architecture ?? ''].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
}

/** What a column is sorted by; `null` where the entry has no such value. */
function sortValue({ entry, counterpart, shift }: Row, key: SortKey): number | string | null {
    switch (key) {
        case 'rank':
            return entry.rank ?? null;
        case 'public_rank':
            return counterpart?.rank ?? null;
        case 'shift':
            return shift;
        case 'team':
            return entry.team.toLowerCase();
        case 'method':
            return entry.method.toLowerCase();
        case 'kind':
            return entry.kind;
        case 'top1_error':
        case 'top5_error':
            return entry[key];
        case 'submitted_at':
            return Date.parse(entry.submitted_at);
        default:
            return entry.model?.[key] ?? null;
    }
}

/** Missing values are last whichever way the column is sorted. */
function compare(a: number | string | null, b: number | string | null, descending: boolean): number {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const order = typeof a === 'string' || typeof b === 'string' ? String(a).localeCompare(String(b), 'en') : a - b;
    return descending ? -order : order;
}

/** What the interval bars of a column are drawn on: from the best to somewhat beyond the middle of the field. */
export interface Scale {
    low: number;
    high: number;
}

/**
 * The scale of one error's bars. Were the worst entries to decide, one that guesses at random would press all others
 * into a few pixels; so what lies far beyond the median is cut, and drawn as cut.
 */
export function scaleOf(intervals: readonly (readonly number[])[]): Scale {
    if (intervals.length === 0) return { low: 0, high: 1 };
    const low = Math.min(...intervals.map(([from]) => from ?? 0));
    const highs = intervals.map(([, to]) => to ?? 1).sort((a, b) => a - b);
    const median = highs[Math.floor(highs.length / 2)] ?? 1;
    const worst = highs.at(-1) ?? 1;
    const high = Math.min(worst, low + 2 * (median - low));
    const margin = 0.04 * (high - low) || 0.005;
    return { low: Math.max(0, low - margin), high: Math.min(1, high + margin) };
}

/** What the speeds of these rows were measured on: they compare on the same device only. */
export function speedsOn(rows: readonly Row[]): string {
    const devices = new Set(rows.flatMap(({ entry }) => (entry.model?.images_per_second && entry.model.device ? [entry.model.device] : [])));
    if (devices.size === 0) return '';
    const [device] = devices;
    return devices.size === 1 ? `Images/s on ${device}.` : `Images/s on ${devices.size} devices, named where the mouse rests on one: compare those of the same.`;
}
