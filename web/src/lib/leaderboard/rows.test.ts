import { describe, expect, test } from 'vitest';
import { BASELINE, board, entry, MLP, NEAREST, SOFTMAX } from './entries.fixture';
import { type Row, rowsOf, scaleOf, sideBySide, speedsOn, visibleRows } from './rows';
import { DEFAULT_VIEW, type View } from './view';

const rows = rowsOf(board([MLP, NEAREST, SOFTMAX, BASELINE]));
const teams = (shown: readonly Row[]): string[] => shown.map((row) => row.entry.team);
const shown = (view: Partial<View>): string[] => teams(visibleRows(rows, { ...DEFAULT_VIEW, ...view }));

describe('a view', () => {
    test('keeps the order of the board', () => {
        expect(shown({})).toEqual(['mlp-256', 'k-nearest', 'Softmax', 'organizer']);
    });
    test('sorts by any column, both ways, missing values last', () => {
        expect(shown({ sort: 'top5_error', descending: true })).toEqual(['organizer', 'Softmax', 'k-nearest', 'mlp-256']);
        expect(shown({ sort: 'team' })).toEqual(['k-nearest', 'mlp-256', 'organizer', 'Softmax']);
        const withModel = rowsOf(board([MLP, entry({ team: 'deep', kind: 'model', model: { depth: 50 } })]));
        for (const descending of [true, false]) {
            expect(teams(visibleRows(withModel, { ...DEFAULT_VIEW, sort: 'depth', descending }))).toEqual(['deep', 'mlp-256']);
        }
    });
    test('filters by kind, by who is ranked, and by data', () => {
        expect(shown({ kind: 'model' })).toEqual(['Softmax']);
        expect(shown({ entries: 'unranked' })).toEqual(['organizer']);
        expect(shown({ data: 'provided' })).toEqual(['mlp-256', 'k-nearest', 'organizer']);
    });
    test('finds all words anywhere in team and method, whatever their case', () => {
        expect(shown({ search: 'hidden MLP' })).toEqual(['mlp-256']);
        expect(shown({ search: 'nothing' })).toEqual([]);
    });
});

describe('both boards side by side', () => {
    const privateBoard = board(
        [
            { ...NEAREST, rank: 1 },
            { ...MLP, rank: 2, submission: 'the one that was selected' },
            entry({ team: 'new', rank: 3 }),
            { ...BASELINE, top1_error: 0.3 },
        ],
        { split: 'private' },
    );
    const joined = sideBySide(privateBoard, board([MLP, NEAREST, SOFTMAX, BASELINE]));

    test('have the private order, and the places gained and lost', () => {
        expect(joined.map(({ entry: { team }, shift }) => [team, shift])).toEqual([
            ['k-nearest', -1],
            ['mlp-256', 1],
            ['new', null],
            ['organizer', null],
        ]);
    });
    test('join a team’s entries though another submission stands, and a baseline with itself', () => {
        expect(joined.map(({ counterpart }) => counterpart?.submission)).toEqual([NEAREST.submission, MLP.submission, undefined, BASELINE.submission]);
    });
});

test('the scale of the bars is not pressed together by an entry that guesses', () => {
    const { low, high } = scaleOf([[0.1, 0.12], [0.13, 0.15], [0.14, 0.16], [0.89, 0.91]]);
    expect(low).toBeLessThan(0.1);
    expect(high).toBeGreaterThan(0.16);
    expect(high).toBeLessThan(0.3);
});

test('speeds are said to be of one device, or of several that do not compare', () => {
    const on = (team: string, device: string): Row => ({ entry: entry({ team, kind: 'model', model: { images_per_second: 100, device } }), counterpart: null, shift: null });
    expect(speedsOn([on('a', 'cpu: 2 threads'), on('b', 'cpu: 2 threads')])).toBe('Images/s on cpu: 2 threads.');
    expect(speedsOn([on('a', 'cpu: 2 threads'), on('b', 'cuda:0')])).toContain('2 devices');
    expect(speedsOn([])).toBe('');
});
