/** The classification results of ILSVRC 2010 to 2017, as reported by others, and the pictures of them. */
import type { ScaleOptions } from '@observablehq/plot';
import { type Draw, frame, HALO } from '$lib/charts/plot';
import type { ChartTable } from '$lib/charts/table';
import { percent, percentInterval } from '$lib/format/numbers';
import ilsvrc from './ilsvrc.json';

interface Result {
    year: number;
    team: string;
    network?: string;
    error: number;
    depth: number | null;
    second?: boolean;
    ensemble?: boolean;
    note: string;
}

export const RESULTS: readonly Result[] = ilsvrc.results;
export const HUMAN = ilsvrc.human;
export const SOURCES = ilsvrc.sources;

const WINNERS = RESULTS.filter(({ second }) => !second);
const name = ({ network, team }: Result): string => network ?? team;
/** A bar's place: one for each result, two of them in 2014. */
const bar = ({ year, team }: Result): string => `${year} ${team}`;

/** The bars' axis: the year and below it the name, or `’12` alone where there is no room. */
function bars(width: number): ScaleOptions {
    const results = new Map(RESULTS.map((result) => [bar(result), result]));
    const label = (key: string): string => {
        const result = results.get(key);
        if (!result) return '';
        return width < NAMED_FROM ? `’${String(result.year).slice(2)}` : `${result.year}\n${name(result)}`;
    };
    return { type: 'band', domain: [...results.keys()], label: null, tickFormat: label, tickSize: 0, padding: 0.22 };
}
/** Pixels: nine names side by side need so much. */
const NAMED_FROM = 760;

export const drawErrors: Draw = (Plot, width) =>
    Plot.plot({
        ...frame(width),
        x: bars(width),
        y: { label: 'top-5 error', grid: true, tickFormat: (error: number) => `${Math.round(100 * error)} %`, domain: [0, 0.32], ticks: [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3] },
        marks: [
            Plot.rectY([HUMAN], { y1: (human: typeof HUMAN) => human.interval[0], y2: (human: typeof HUMAN) => human.interval[1], fill: 'var(--series-2)', fillOpacity: 0.22 }),
            Plot.barY(RESULTS, {
                x: bar,
                y: 'error',
                fill: ({ depth }: Result) => (depth === null ? 'var(--ink-faint)' : 'var(--series-1)'),
                fillOpacity: ({ second }: Result) => (second ? 0.45 : 1),
                rx1: 2,
            }),
            Plot.ruleY([HUMAN.error], { stroke: 'var(--series-2)', strokeWidth: 1.5 }),
            Plot.text(RESULTS, { x: bar, y: 'error', text: ({ error }: Result) => (100 * error).toFixed(1), dy: -8, fill: 'var(--ink)', fontWeight: 600, ...HALO }),
            Plot.text([HUMAN], { y: 'error', text: () => 'human 5.1 %', frameAnchor: 'right', dx: 20, dy: -26, textAnchor: 'end', fill: 'var(--series-2)', fontWeight: 600, ...HALO }),
        ],
    });

export const drawDepths: Draw = (Plot, width) =>
    Plot.plot({
        ...frame(width),
        x: bars(width),
        y: { label: 'weight layers', grid: true, domain: [0, 175], ticks: [0, 25, 50, 75, 100, 125, 150] },
        marks: [
            Plot.barY(RESULTS, {
                x: bar,
                y: ({ depth }: Result) => depth ?? 0,
                fill: 'var(--series-3)',
                fillOpacity: ({ ensemble }: Result) => (ensemble ? 0.18 : 1),
                stroke: 'var(--series-3)',
                rx1: 2,
            }),
            Plot.text(RESULTS, {
                x: bar,
                y: ({ depth }: Result) => depth ?? 0,
                // A word that is wider than a narrow chart's bars.
                text: ({ depth }: Result) => (depth !== null ? String(depth) : width < NAMED_FROM ? '' : 'shallow'),
                dy: -8,
                fill: 'var(--ink)',
                fontWeight: 600,
            }),
        ],
    });

export const ERROR_SUMMARY =
    'Top-5 error of the winners of ILSVRC, by year: ' +
    WINNERS.map((result) => `${result.year} ${name(result)} ${percent(result.error, 1)}`).join(', ') +
    `. A trained human made ${percent(HUMAN.error, 1)} (${percentInterval(HUMAN.interval, 1)}).`;

export const DEPTH_SUMMARY =
    'Depth of the winners of ILSVRC, by year: ' +
    WINNERS.map((result) => `${result.year} ${name(result)} ${result.depth ?? 'shallow'}`).join(', ') +
    '. In 2016 and 2017 ensembles won, which have no single depth.';

export const RESULT_TABLE: ChartTable = {
    columns: [{ title: 'Year', isNumber: true }, { title: 'Team' }, { title: 'Network' }, { title: 'Top-5 error', isNumber: true }, { title: 'Depth', isNumber: true }, { title: 'Remarks' }],
    rows: [
        ...RESULTS.map((result) => [
            String(result.year),
            result.team + (result.second ? ' (second)' : ''),
            result.network ?? '–',
            percent(result.error, 2),
            result.depth === null ? 'shallow' : `${result.depth}${result.ensemble ? '*' : ''}`,
            result.note,
        ]),
        ['2014', 'Human', '–', percent(HUMAN.error, 1), '–', `On ${HUMAN.images.toLocaleString('en')} images; 95 % interval ${percentInterval(HUMAN.interval, 2)}`],
    ],
};
