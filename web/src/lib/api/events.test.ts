import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listen } from './events';

/** A browser's EventSource, whose server the test plays. */
class Source {
    static readonly CLOSED = 2;
    static opened: Source[] = [];
    readyState = 1;
    onopen?: () => void;
    onmessage?: (event: { data: string }) => void;
    onerror?: () => void;

    constructor(readonly url: string) {
        Source.opened.push(this);
    }
    close(): void {
        this.readyState = Source.CLOSED;
    }
    breakOff(): void {
        this.readyState = Source.CLOSED;
        this.onerror?.();
    }
}

/** The page, in a tab that may be out of sight. */
class Tab extends EventTarget {
    hidden = false;

    become(sight: 'hidden' | 'visible'): void {
        this.hidden = sight === 'hidden';
        this.dispatchEvent(new Event('visibilitychange'));
    }
}

let tab: Tab;
beforeEach(() => {
    vi.useFakeTimers();
    tab = new Tab();
    vi.stubGlobal('document', tab);
    vi.stubGlobal('EventSource', Source);
    Source.opened = [];
});
afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

test('each state is handed on, and a stream that the browser gave up is asked for again, later each time', () => {
    const states: unknown[] = [];
    const connections: boolean[] = [];
    const stop = listen('/events', { onState: (state) => states.push(state), onConnection: (connected) => connections.push(connected) });
    Source.opened[0]?.onopen?.();
    Source.opened[0]?.onmessage?.({ data: '{"revision":1}' });
    expect(states).toEqual([{ revision: 1 }]);

    Source.opened[0]?.breakOff();
    vi.advanceTimersByTime(1_000);
    expect(Source.opened).toHaveLength(2);
    Source.opened[1]?.breakOff();
    vi.advanceTimersByTime(1_500);
    expect(Source.opened).toHaveLength(2);
    vi.advanceTimersByTime(500);
    expect(Source.opened).toHaveLength(3);
    expect(connections).toEqual([true, false, false]);
    stop();
    expect(Source.opened[2]?.readyState).toBe(Source.CLOSED);
});

test('while the browser reconnects by itself no second stream is opened', () => {
    listen('/events', { onState: () => undefined });
    Source.opened[0]?.onerror?.();
    vi.advanceTimersByTime(60_000);
    expect(Source.opened).toHaveLength(1);
});

test('after a final state the stream is closed for good', () => {
    listen<{ status: string }>('/events', { onState: () => undefined }, ({ status }) => status === 'scored');
    Source.opened[0]?.onmessage?.({ data: '{"status":"scored"}' });
    expect(Source.opened[0]?.readyState).toBe(Source.CLOSED);
    vi.advanceTimersByTime(60_000);
    expect(Source.opened).toHaveLength(1);
});

test('a tab that is out of sight leaves its connection to others, and listens again when it is back', () => {
    const states: unknown[] = [];
    tab.become('hidden');
    const stop = listen('/events', { onState: (state) => states.push(state) });
    expect(Source.opened).toHaveLength(0);
    tab.become('visible');
    Source.opened[0]?.onmessage?.({ data: '{"revision":1}' });
    tab.become('hidden');
    expect(Source.opened[0]?.readyState).toBe(Source.CLOSED);
    vi.advanceTimersByTime(60_000);
    expect(Source.opened).toHaveLength(1);
    tab.become('visible');
    Source.opened[1]?.onmessage?.({ data: '{"revision":2}' });
    expect(states).toEqual([{ revision: 1 }, { revision: 2 }]);

    stop();
    tab.become('hidden');
    tab.become('visible');
    expect(Source.opened).toHaveLength(2);
});
