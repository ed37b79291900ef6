import { expect, test } from 'vitest';
import { duration, fromNow, utc } from './time';

const now = Date.parse('2026-11-25T12:00:00Z');

test.each([
    ['2026-11-25T12:00:05Z', 'just now'],
    ['2026-11-25T11:58:00Z', '2 minutes ago'],
    ['2026-11-28T13:00:00Z', 'in 3 days'],
    ['2025-11-20T12:00:00Z', '1 year ago'],
])('%s is %s', (time, words) => {
    expect(fromNow(time, now)).toBe(words);
});

test('durations have their two largest units', () => {
    expect(duration(3 * 86_400 + 4 * 3_600 + 59)).toBe('3 days 4 h');
    expect(duration(125)).toBe('2 min 5 s');
    expect(duration(3_600)).toBe('1 h');
    expect(duration(-3)).toBe('0 s');
});

test('UTC is said', () => {
    expect(utc('2026-11-25T14:05:59+01:00')).toBe('2026-11-25 13:05 UTC');
});
