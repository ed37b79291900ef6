import { expect, test } from 'vitest';
import { changesBetween } from './changes';
import { board, entry, MLP, NEAREST } from './entries.fixture';

test('a new entry is named with its place', () => {
    const after = board([MLP, entry({ team: 'ada', rank: 2 }), { ...NEAREST, rank: 3 }]);
    const changes = changesBetween(board([MLP, NEAREST]), after);
    expect([...changes.submissions]).toEqual(['submission of ada']);
    expect(changes.sentence).toBe('The leaderboard has changed: ada is in place 2.');
});

test('several at once are counted, and ranks that moved alone are not news', () => {
    const after = board([{ ...MLP, top1_error: 0.1 }, { ...NEAREST, top1_error: 0.2 }]);
    expect(changesBetween(board([MLP, NEAREST]), after).sentence).toBe('The leaderboard has changed: 2 entries are new or scored anew.');
    expect(changesBetween(board([MLP, NEAREST]), board([MLP, { ...NEAREST, rank: 3 }]))).toEqual({ submissions: new Set(), sentence: '' });
});

test('an entry that was taken off is said', () => {
    expect(changesBetween(board([MLP, NEAREST]), board([MLP])).sentence).toBe('The leaderboard has changed: an entry was taken off.');
});
