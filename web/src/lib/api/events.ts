/** Server-sent events of the API: the whole object at each change, the current state at once. */

export interface Listening<T> {
    /** Each new state, the first one included. */
    onState: (state: T) => void;
    /** Whether the stream is connected; `false` while the browser tries again. */
    onConnection?: (connected: boolean) => void;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * Listens to an event stream until the returned function is called.
 *
 * The browser reconnects by itself after a network error, and sends `Last-Event-ID`; where it gives up (the server
 * answered with an error, or the stream was cut while a proxy restarted) it is asked again, later each time. A stream
 * that the server has finished answers 204, after which nothing more will come; `isFinal` tells that state.
 *
 * Nobody listens in a tab that is out of sight: over HTTP/1.1 a browser has six connections for all tabs of a server, and
 * streams that are kept open in six of them would leave none for anything else. The state comes anew with the tab.
 */
export function listen<T>(url: string, { onState, onConnection }: Listening<T>, isFinal: (state: T) => boolean = () => false): () => void {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let retry = FIRST_RETRY_MS;

    function open(): void {
        source = new EventSource(url);
        source.onopen = () => {
            retry = FIRST_RETRY_MS;
            onConnection?.(true);
        };
        source.onmessage = (event: MessageEvent<string>) => {
            const state = JSON.parse(event.data) as T;
            if (isFinal(state)) stop();
            onState(state);
        };
        source.onerror = () => {
            onConnection?.(false);
            if (source?.readyState !== EventSource.CLOSED) return;
            timer = setTimeout(open, retry);
            retry = Math.min(retry * 2, LONGEST_RETRY_MS);
        };
    }

    function pause(): void {
        clearTimeout(timer);
        source?.close();
    }

    function followSight(): void {
        pause();
        if (!document.hidden) open();
    }

    function stop(): void {
        document.removeEventListener('visibilitychange', followSight);
        pause();
    }

    document.addEventListener('visibilitychange', followSight);
    followSight();
    return stop;
}
