/** Times: shown in the visitor's zone, with UTC at hand, because deadlines are in UTC. */

const localDate = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const localDateTime = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
});
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });

/** `25 Nov 2026`, in the visitor's zone. */
export function date(time: string): string {
    return localDate.format(new Date(time));
}

/** `25 Nov 2026, 14:05 CET`, in the visitor's zone. */
export function dateTime(time: string): string {
    return localDateTime.format(new Date(time));
}

/** `2026-11-25 13:05 UTC`. */
export function utc(time: string): string {
    return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
    ['year', 365.25 * 86_400],
    ['month', 30.44 * 86_400],
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
    ['second', 1],
];

/** `in 3 days`, `2 minutes ago`: how far `time` is from `now`, in its largest unit. */
export function fromNow(time: string, now: number = Date.now()): string {
    const seconds = (new Date(time).getTime() - now) / 1000;
    const [unit, length] = UNITS.find(([, unitLength]) => Math.abs(seconds) >= unitLength) ?? ['second', 1];
    if (unit === 'second' && Math.abs(seconds) < 10) return 'just now';
    return relative.format(Math.trunc(seconds / length), unit);
}

/** A span in its two largest units: `3 days 4 h`, `2 min 5 s`. */
export function duration(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const days = Math.floor(whole / 86_400);
    const hours = Math.floor((whole % 86_400) / 3_600);
    const minutes = Math.floor((whole % 3_600) / 60);
    if (days > 0) return `${days} ${days === 1 ? 'day' : 'days'}${hours ? ` ${hours} h` : ''}`;
    if (hours > 0) return `${hours} h${minutes ? ` ${minutes} min` : ''}`;
    if (minutes > 0) return `${minutes} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
    return `${whole} s`;
}
