/** Entries for tests: a small board, whose numbers are the demo's. */
import type { Leaderboard, LeaderboardEntry } from '$lib/api/schema';

export function entry(changes: Partial<LeaderboardEntry> & { team: string }): LeaderboardEntry {
    return {
        submission: `submission of ${changes.team}`,
        method: 'a method',
        kind: 'predictions',
        entry: 'competitor',
        outside_data: false,
        late: false,
        rank: null,
        rank_low: null,
        rank_high: null,
        top1_error: 0.5,
        top5_error: 0.1,
        top1_interval: [0.48, 0.52],
        top5_interval: [0.09, 0.11],
        model: null,
        paper_url: null,
        code_url: null,
        submitted_at: '2026-11-25T12:00:00Z',
        ...changes,
    };
}

export function board(entries: LeaderboardEntry[], changes: Partial<Leaderboard> = {}): Leaderboard {
    return {
        challenge: 'fashion-mnist',
        split: 'public',
        primary: 'top1',
        label_version: 1,
        revision: 1,
        as_of: '2026-11-25T12:00:00Z',
        entries,
        ...changes,
    };
}

export const MLP = entry({ team: 'mlp-256', rank: 1, rank_low: 1, rank_high: 1, top1_error: 0.1092, top5_error: 0.0024, method: 'MLP, 256 hidden units' });
export const NEAREST = entry({ team: 'k-nearest', rank: 2, rank_low: 2, rank_high: 3, top1_error: 0.1432, top5_error: 0.0028, method: '5 nearest neighbours' });
export const SOFTMAX = entry({ team: 'Softmax', rank: 3, rank_low: 2, rank_high: 3, top1_error: 0.1498, top5_error: 0.0042, kind: 'model', outside_data: true });
export const BASELINE = entry({ team: 'organizer', entry: 'baseline', top1_error: 0.3256, top5_error: 0.027 });
