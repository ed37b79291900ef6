/** What happened between two states of a board, for eyes (rows to light up) and ears (a sentence). */
import type { Leaderboard, LeaderboardEntry } from '$lib/api/schema';

export interface Changes {
    /** Submissions whose row is new or shows other scores. */
    submissions: ReadonlySet<string>;
    /** What a screen reader says; empty where nothing changed. */
    sentence: string;
}

export function changesBetween(before: Leaderboard, after: Leaderboard): Changes {
    const known = new Map(before.entries.map((entry) => [entry.submission, entry]));
    const changed = after.entries.filter((entry) => {
        const old = known.get(entry.submission);
        return !old || old.top1_error !== entry.top1_error || old.top5_error !== entry.top5_error;
    });
    const gone = before.entries.length + changed.filter(({ submission }) => !known.has(submission)).length - after.entries.length;
    return { submissions: new Set(changed.map(({ submission }) => submission)), sentence: sentence(changed, gone) };
}

function sentence(changed: readonly LeaderboardEntry[], gone: number): string {
    const [first] = changed;
    if (!first) return gone > 0 ? 'The leaderboard has changed: an entry was taken off.' : '';
    if (changed.length > 1) return `The leaderboard has changed: ${changed.length} entries are new or scored anew.`;
    const where = first.rank ? `in place ${first.rank}` : 'unranked';
    return `The leaderboard has changed: ${first.team} is ${where}.`;
}
