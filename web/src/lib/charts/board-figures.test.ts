import { describe, expect, test } from 'vitest';
import { BASELINE, board, entry, MLP, NEAREST } from '$lib/leaderboard/entries.fixture';
import { figuresOf, frontierByCost, frontierByTime } from './board-figures';
import { countTicks, errorScale, percentTicks, timeScale, wholeTicks } from './plot';

const publicBoard = board([MLP, NEAREST, BASELINE]);
const figures = (changes: object = {}): ReturnType<typeof figuresOf> =>
    figuresOf({ slug: 'fashion-mnist', primary: 'top1', reference: null, publicBoard, privateBoard: null, shown: 'public', ...changes });

test('the frontier is what was better than all before it', () => {
    const at = (day: number, error: number): { time: Date; error: number } => ({ time: new Date(2026, 0, day), error });
    expect(frontierByTime([at(3, 0.2), at(1, 0.3), at(2, 0.4), at(4, 0.2), at(5, 0.1)]).map(({ error }) => error)).toEqual([0.3, 0.2, 0.1]);
});

test('the frontier by cost leaves out what another beats in both', () => {
    const models = [
        { value: 4, error: 0.24 },
        { value: 15, error: 0.28 },
        { value: 1, error: 0.3 },
        { value: 1, error: 0.44 },
        { value: 11, error: 0.22 },
    ];
    expect(frontierByCost(models).map(({ value, error }) => [value, error])).toEqual([[1, 0.3], [4, 0.24], [11, 0.22]]);
});

describe('the pictures', () => {
    test('that cannot be drawn yet say why', () => {
        expect(figures().map((figure) => ('missing' in figure ? `${figure.title}: ${figure.missing.slice(0, 15)}` : figure.title))).toEqual([
            'Error by time',
            'Error against operations: For models only',
            'Error against depth: For models only',
            'Public against private error: After the close',
            'Intervals of the first twenty',
        ]);
    });
    test('say in words what they show', () => {
        const [byTime] = figures({ reference: { label: 'a human', error: 0.165 } });
        expect(byTime && 'summary' in byTime && byTime.summary).toMatch(/^3 entries by top-1 error .* The best so far is 10\.92\u00a0%, by mlp-256 .* a human: 16\.50\u00a0%\.$/);
    });
    test('have tables with a row for each entry', () => {
        const deep = entry({ team: 'deep', rank: 3, kind: 'model', top1_error: 0.2, model: { macs: 4_089_000_000, parameters: 25_557_032, depth: 50 } });
        const [, operations, depth] = figures({ publicBoard: board([MLP, deep]) });
        expect(operations && 'table' in operations && operations.table.rows).toEqual([
            [{ text: 'deep', href: '/submissions/submission of deep' }, 'a method', { quantity: 4_089_000_000 }, { quantity: 25_557_032 }, '20.00\u00a0%'],
        ]);
        expect(depth && 'table' in depth && depth.table.rows[0]?.[2]).toBe('50');
    });
    test('compare a submission with itself on the other board', () => {
        const privateBoard = board([{ ...NEAREST, rank: 1, top1_error: 0.15 }], { split: 'private' });
        const figure = figures({ privateBoard })[3];
        expect(figure && 'table' in figure && figure.table.rows).toEqual([
            [{ text: 'k-nearest', href: '/submissions/submission of k-nearest' }, '5 nearest neighbours', '14.32\u00a0%', '15.00\u00a0%', '+0.68\u00a0%'],
        ]);
    });
});

test('ticks are round shares', () => {
    expect(percentTicks(0.09, 0.95)).toEqual([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7]);
    expect(percentTicks(0.001, 0.5)).toEqual([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]);
});

test('ticks of counts are few', () => {
    // From a perceptron's multiply-accumulates to an MLP's; from ShuffleNet's to ViT-H/14's.
    expect(countTicks(7_840, 535_040)).toEqual([10_000, 30_000, 100_000, 300_000]);
    expect(countTicks(40e6, 1_016e9)).toEqual([1e8, 1e9, 1e10, 1e11, 1e12]);
    expect(wholeTicks([1, 2, 5, 3])).toEqual([1, 2, 3, 4, 5]);
    expect(wholeTicks([8, 152])).toEqual([20, 40, 60, 80, 100, 120, 140]);
});

test('one entry alone lies on scales of some length', () => {
    expect(errorScale([0.15], 'error').domain).toEqual([expect.closeTo(0.1), expect.closeTo(0.2)]);
    expect(errorScale([0, 0], 'error').domain).toEqual([0, 0.05]);
    const noon = new Date('2026-11-25T12:00:00Z');
    expect(timeScale([noon], null, 800).domain).toEqual([new Date('2026-11-25T11:00:00Z'), new Date('2026-11-25T13:00:00Z')]);
    expect(timeScale([noon, new Date('2026-11-26T12:00:00Z')], null, 800).domain).toBeUndefined();
});
