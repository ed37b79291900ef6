import { expect, test, vi } from 'vitest';
import { Pace } from './pace';

test('the first change is read at once, those of the next second together', () => {
    vi.useFakeTimers();
    let reads = 0;
    const pace = new Pace(() => (reads += 1));
    pace.changed();
    vi.advanceTimersByTime(0);
    expect(reads).toBe(1);
    for (let change = 0; change < 5; change += 1) {
        vi.advanceTimersByTime(100);
        pace.changed();
    }
    expect(reads).toBe(1);
    vi.advanceTimersByTime(500);
    expect(reads).toBe(2);
    pace.changed();
    pace.stop();
    vi.advanceTimersByTime(5_000);
    expect(reads).toBe(2);
    vi.useRealTimers();
});
