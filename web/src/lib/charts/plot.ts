/** Observable Plot, fetched the first time that a chart comes into sight, and how our charts use it. */
import type * as Plot from '@observablehq/plot';

export type PlotLibrary = typeof Plot;

/** Draws a chart `width` pixels wide. */
export type Draw = (plot: PlotLibrary, width: number) => SVGElement | HTMLElement;

let library: Promise<PlotLibrary> | undefined;

export function loadPlot(): Promise<PlotLibrary> {
    library ??= import('@observablehq/plot').catch((failure: unknown) => {
        // The next chart tries again.
        library = undefined;
        throw failure;
    });
    return library;
}

/** The height of a chart's type, in pixels. */
export function typeSize(width: number): number {
    return width < 500 ? 11 : 12.5;
}

let ruler: CanvasRenderingContext2D | null | undefined;

/** How wide `text` is in a chart's type of `size` pixels. Without a document it is estimated. */
export function textWidth(text: string, size: number): number {
    if (typeof document === 'undefined') return 0.57 * size * text.length;
    ruler ??= document.createElement('canvas').getContext('2d');
    if (!ruler) return 0.57 * size * text.length;
    ruler.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
    return ruler.measureText(text).width;
}

/** `text`, or as much of it as is no wider than `width`, with an ellipsis. */
export function cutTo(text: string, width: number, size: number): string {
    if (textWidth(text, size) <= width) return text;
    let letters = [...text];
    while (letters.length > 1 && textWidth(`${letters.join('')}…`, size) > width) letters = letters.slice(0, -1);
    return `${letters.join('')}…`;
}

/** What all charts share: type, ink and room for their axes. */
export function frame(width: number, height = Math.round(Math.min(460, Math.max(280, width * 0.5)))): Plot.PlotOptions {
    return {
        width,
        height,
        marginLeft: 52,
        marginRight: 24,
        marginTop: 28,
        marginBottom: 48,
        style: { fontFamily: 'var(--font)', fontSize: `${typeSize(width)}px`, color: 'var(--ink-muted)', overflow: 'visible' },
    };
}

/** An axis of fractions that reads as percentages; logarithmic where the values differ much. */
export function errorScale(errors: readonly number[], label: string, { inset = 12, ticks = 9 } = {}): Plot.ScaleOptions {
    const low = Math.min(...errors);
    const high = Math.max(...errors);
    const isWide = low > 0 && high / low > 4;
    return {
        type: isWide ? 'log' : 'linear',
        label,
        grid: true,
        inset,
        nice: !isWide,
        // One value alone lies in the middle of a scale around it.
        ...(low === high ? { domain: [Math.max(0, low - 0.05), Math.min(1, low + 0.05)] } : {}),
        ...(isWide ? { domain: [low * 0.9, Math.min(1, high * 1.1)], ticks: percentTicks(low * 0.9, Math.min(1, high * 1.1), ticks) } : {}),
        tickFormat: (error: number) => `${+(100 * error).toPrecision(3)} %`,
    };
}

/** What writes the ticks of a logarithmic scale, as a mark: the axis that Plot draws by itself leaves the words of some out. */
export function wordedAxis(library: PlotLibrary, side: 'x' | 'y', { type, ticks, tickFormat, label }: Plot.ScaleOptions): Plot.Markish | null {
    if (type !== 'log' || !Array.isArray(ticks) || typeof tickFormat !== 'function') return null;
    const options = { text: (tick: number) => tickFormat(tick, 0) as string, label: label ?? null };
    return side === 'x' ? library.axisX(ticks, options) : library.axisY(ticks, options);
}

/** A tick of an axis of times, in the visitor's zone: `23:47`, at midnight `25 Nov`, at New Year `2026`. */
export function timeTick(time: Date): string {
    const two = (value: number): string => String(value).padStart(2, '0');
    if (time.getSeconds() > 0) return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
    if (time.getHours() > 0 || time.getMinutes() > 0) return `${two(time.getHours())}:${two(time.getMinutes())}`;
    if (time.getDate() === 1 && time.getMonth() === 0) return String(time.getFullYear());
    return time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}

/** An axis of times, `width` pixels wide; around one alone it is two hours long. */
export function timeScale(times: readonly Date[], label: string | null, width: number): Plot.ScaleOptions {
    const [first, last] = [Math.min(...times.map(Number)), Math.max(...times.map(Number))];
    const around =
        first === last ? { domain: [new Date(first - HOUR_MS), new Date(last + HOUR_MS)] }
        : last - first < SECONDS_UP_TO_MS ? wholeSeconds(first, last, width / 90)
        : { nice: true };
    return { type: 'time', label, grid: false, inset: 8, tickFormat: timeTick, ...around };
}
const HOUR_MS = 3_600_000;
/** Up to here, ticks that are chosen by their number alone fall between whole seconds, and two would read the same. */
const SECONDS_UP_TO_MS = 30_000;

/** From one whole second to another, with at most `most` ticks. */
function wholeSeconds(first: number, last: number, most: number): { domain: Date[]; ticks: Date[] } {
    const [from, to] = [Math.floor(first / 1_000), Math.ceil(last / 1_000)];
    const step = [1, 2, 5, 10].find((seconds) => (to - from) / seconds < most) ?? 15;
    const ticks = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => new Date(1_000 * (from + step * index)));
    return { domain: [new Date(1_000 * from), new Date(1_000 * to)], ticks };
}

/** Keeps words legible on what they lie over. */
export const HALO = { stroke: 'var(--surface)', strokeWidth: 4 };

/** Round shares between `low` and `high`, at most `most`: more of them where the two are close. */
export function percentTicks(low: number, high: number, most = 9): number[] {
    let ticks: number[] = [];
    for (const digits of [[1, 1.5, 2, 3, 4, 5, 7], [1, 2, 5], [1, 3], [1]]) {
        ticks = [-5, -4, -3, -2, -1, 0]
            .flatMap((power) => digits.map((digit) => +(digit * 10 ** power).toPrecision(2)))
            .filter((tick) => tick >= low && tick <= high);
        if (ticks.length <= most) break;
    }
    return ticks;
}

/** Whole numbers between the least and the greatest of `values`, some ten of them at most. */
export function wholeTicks(values: readonly number[]): number[] {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((size) => (high - low) / size <= 10) ?? 1_000;
    const first = Math.ceil(low / step) * step;
    return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, index) => first + index * step);
}

/** A logarithmic axis of large counts, with few round ticks. */
export function countScale(values: readonly number[], label: string): Plot.ScaleOptions {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { type: 'log', label, grid: true, ticks: countTicks(low, high), tickFormat: scaledTick };
}

/** Round counts between `low` and `high`: powers of ten alone where there are many of them. */
export function countTicks(low: number, high: number): number[] {
    const digits = high / low > 3_000 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5];
    const ticks: number[] = [];
    for (let power = 0; power <= 15; power += 1) {
        for (const digit of digits) {
            const tick = digit * 10 ** power;
            if (tick >= low / 1.5 && tick <= high * 1.5) ticks.push(tick);
        }
    }
    return ticks;
}

/** Ticks of an axis of large counts: `100 k`, `1 M`. */
export function scaledTick(value: number): string {
    const prefixes = ['', 'k', 'M', 'G', 'T'];
    const step = Math.max(0, Math.min(prefixes.length - 1, Math.floor(Math.log10(value) / 3)));
    return `${+(value / 1000 ** step).toPrecision(3)} ${prefixes[step]}`.trim();
}
