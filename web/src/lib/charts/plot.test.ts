// @vitest-environment jsdom
import * as Plot from '@observablehq/plot';
import { expect, test } from 'vitest';
import { board, entry } from '$lib/leaderboard/entries.fixture';
import { figuresOf } from './board-figures';
import { errorScale, timeTick, wordedAxis } from './plot';

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

test('intervals are those of the board that decides', () => {
    const of = (team: string, split: 'public' | 'private'): ReturnType<typeof board> => board([entry({ team, rank: 1 })], { split });
    const figure = figuresOf({ slug: 'a', primary: 'top1', reference: null, publicBoard: of('ada', 'public'), privateBoard: of('grace', 'private') })[4];
    expect(figure?.title).toBe('Intervals of the first twenty on the private images');
    expect(figure && 'table' in figure && figure.table.rows[0]?.[1]).toMatchObject({ text: 'grace' });
});
