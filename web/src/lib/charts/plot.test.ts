// @vitest-environment jsdom
import * as Plot from '@observablehq/plot';
import { expect, test } from 'vitest';
import { board, entry } from '$lib/leaderboard/entries.fixture';
import { figuresOf } from './board-figures';
import { errorScale, timeScale, timeTick, wordedAxis } from './plot';

test('each tick of a logarithmic axis has words', () => {
    const x = errorScale([0.004, 0.9], 'error');
    const svg = Plot.plot({ x, marks: [wordedAxis(Plot, 'x', x), Plot.dot([0.004, 0.9], { x: (error: number) => error })] });
    const words = [...svg.querySelectorAll('[aria-label="x-axis tick label"] text')].map((text) => text.textContent);
    expect(words).toHaveLength((x.ticks as number[]).length);
    expect(words).toContain('0.5 %');
    expect(words).not.toContain('');
});

test('the clock of a time axis has 24 hours', () => {
    expect(timeTick(new Date(2026, 10, 25, 23, 47))).toBe('23:47');
    expect(timeTick(new Date(2026, 10, 25))).toBe('25 Nov');
    expect(timeTick(new Date(2026, 0, 1))).toBe('2026');
});

test.each([300, 1200])('no two ticks of an axis of a few seconds read the same, %d pixels wide', (width) => {
    for (const seconds of [0.2, 3, 9.7, 29]) {
        const times = [new Date(2026, 10, 25, 14, 5, 59, 900), new Date(2026, 10, 25, 14, 5, 59, 900 + 1_000 * seconds)];
        const svg = Plot.plot({ width, x: timeScale(times, null, width), marks: [Plot.dot(times, { x: (time: Date) => time })] });
        const words = [...svg.querySelectorAll('[aria-label="x-axis tick label"] text')].map((text) => text.textContent);
        expect(words.length).toBeGreaterThanOrEqual(2);
        expect(words.length).toBeLessThanOrEqual(width / 50);
        expect(new Set(words).size).toBe(words.length);
    }
});

test('pictures are of the board that is asked for, and say so', () => {
    const of = (team: string, split: 'public' | 'private'): ReturnType<typeof board> => board([entry({ team, rank: 1 })], { split });
    const figure = figuresOf({ slug: 'a', primary: 'top1', reference: null, publicBoard: of('ada', 'public'), privateBoard: of('grace', 'private'), shown: 'private' })[4];
    expect(figure?.title).toBe('Intervals of the first twenty on the private images');
    expect(figure && 'table' in figure && figure.table.rows[0]?.[1]).toMatchObject({ text: 'grace' });
});
