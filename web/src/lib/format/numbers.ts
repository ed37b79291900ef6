/** Numbers as people read them. English throughout, as the pages are. */

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `10,000`. */
export function count(value: number): string {
    return integer.format(value);
}

/** Images a second, with a decimal where there are few: `5,000`, `4.7`. */
export function speed(imagesPerSecond: number): string {
    return imagesPerSecond < 9.95 ? imagesPerSecond.toFixed(1) : count(imagesPerSecond);
}

/** `1 team`, `3 teams`. */
export function counted(value: number, one: string, many = `${one}s`): string {
    return `${count(value)} ${value === 1 ? one : many}`;
}

/** A fraction as a percentage with `digits` decimals and no sign: 0.1092 is `10.92`. */
export function percentage(fraction: number, digits = 2): string {
    return (100 * fraction).toFixed(digits);
}

/** `10.92 %`, with a space that does not break. */
export function percent(fraction: number, digits = 2): string {
    return `${percentage(fraction, digits)}\u00a0%`;
}

/** `10.09–11.81 %`: a confidence interval. */
export function percentInterval([low, high]: readonly number[], digits = 2): string {
    if (low === undefined || high === undefined) return '';
    return `${percentage(low, digits)}–${percent(high, digits)}`;
}

export interface Scaled {
    /** Three to four significant digits. */
    digits: string;
    /** `''`, `k`, `M`, `G` or `T`. */
    prefix: string;
}

const PREFIXES = ['', 'k', 'M', 'G', 'T'];

/** A large count in steps of a thousand with one decimal, so that a column of them aligns: 61,100,840 is `61.1`, `M`. */
export function scaled(value: number): Scaled {
    let step = 0;
    let rest = Math.abs(value);
    while (rest >= 999.95 && step < PREFIXES.length - 1) {
        rest /= 1000;
        step += 1;
    }
    const digits = step === 0 && Number.isInteger(value) ? String(value) : (value / 1000 ** step).toFixed(1);
    return { digits, prefix: PREFIXES[step] ?? '' };
}

/** `61.1 M`. */
export function scaledText(value: number): string {
    const { digits, prefix } = scaled(value);
    return prefix ? `${digits}\u00a0${prefix}` : digits;
}

/** Bytes in powers of 1024: `47.0 MiB`. */
export function bytes(value: number): string {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let step = 0;
    let rest = value;
    while (rest >= 1023.95 && step < units.length - 1) {
        rest /= 1024;
        step += 1;
    }
    return `${step === 0 ? rest : rest.toFixed(1)}\u00a0${units[step]}`;
}

/** `3 (2–5)`: a place with the ranks it is statistically compatible with; the range is left out while it is out of date. */
export function rankRange(rank: number, low: number | null | undefined, high: number | null | undefined): string {
    if (low === null || low === undefined || high === null || high === undefined) return '';
    // The ranges follow the board by about a second.
    if (rank < low || rank > high || low === high) return '';
    return `(${count(low)}–${count(high)})`;
}
