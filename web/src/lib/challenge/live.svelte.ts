/** What a challenge's event stream says, shared by the pages below `/challenges/{slug}`. */
import { createContext } from 'svelte';
import { listen } from '$lib/api/events';
import type { ChallengeEvent } from '$lib/api/schema';
import { refresh } from '$lib/refresh';

/** What a page that shows the challenge passes to `depends`, to be loaded again when its state changes. */
export function challengeKey(slug: string): `referee:${string}` {
    return `referee:challenge/${slug}`;
}

/** What a page that shows its boards passes to `depends`, to be loaded again when they change. */
export function boardKey(slug: string): `referee:${string}` {
    return `referee:board/${slug}`;
}

/** A board may have thousands of entries: it is loaded again once in this time at most. */
const BETWEEN_LOADS_MS = 1_000;

export class LiveChallenge {
    /** The last event; `null` until the first. */
    event = $state.raw<ChallengeEvent | null>(null);
    /** `false` while the stream is interrupted. */
    connected = $state(true);
    #timer: ReturnType<typeof setTimeout> | undefined;
    #lastLoad = 0;

    /** Follows the challenge until the returned function is called. */
    follow(slug: string): () => void {
        this.event = null;
        const stop = listen<ChallengeEvent>(`/api/v1/challenges/${encodeURIComponent(slug)}/events`, {
            onState: (event) => {
                const before = this.event;
                this.event = event;
                if (before === null) return;
                if (before.state !== event.state || before.private_released !== event.private_released) {
                    void refresh(challengeKey(slug));
                }
                this.#loadBoard(slug);
            },
            onConnection: (connected) => (this.connected = connected),
        });
        return () => {
            clearTimeout(this.#timer);
            stop();
        };
    }

    /** Now, or when the time since the last one is over. */
    #loadBoard(slug: string): void {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(
            () => {
                this.#lastLoad = Date.now();
                void refresh(boardKey(slug));
            },
            Math.max(0, this.#lastLoad + BETWEEN_LOADS_MS - Date.now()),
        );
    }
}

/** The challenge that the current page is below. */
export const [liveChallenge, provideLiveChallenge] = createContext<LiveChallenge>();
