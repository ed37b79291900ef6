/** What a challenge's event stream says, shared by the pages below `/challenges/{slug}`. */
import { createContext } from 'svelte';
import { listen } from '$lib/api/events';
import { Pace } from '$lib/api/pace';
import type { ChallengeDocument, ChallengeEvent } from '$lib/api/schema';
import { refresh } from '$lib/refresh';

/** What a page that shows the challenge passes to `depends`, to be loaded again when its state changes. */
export function challengeKey(slug: string): `referee:${string}` {
    return `referee:challenge/${slug}`;
}

/** What a page that shows its boards passes to `depends`, to be loaded again when they change. */
export function boardKey(slug: string): `referee:${string}` {
    return `referee:board/${slug}`;
}

export class LiveChallenge {
    /** The last event; `null` until the first. */
    event = $state.raw<ChallengeEvent | null>(null);
    /** `false` while the stream is interrupted. */
    connected = $state(true);

    /**
     * Follows the challenge until the returned function is called.
     *
     * @param shown The challenge as the page shows it, and the revision of the board on it where there is one: both may have
     * changed before the first event.
     */
    follow(slug: string, shown: () => Pick<ChallengeDocument, 'state' | 'private_released'> & { revision?: number }): () => void {
        this.event = null;
        const board = new Pace(() => void refresh(boardKey(slug)));
        const stop = listen<ChallengeEvent>(`/api/v1/challenges/${encodeURIComponent(slug)}/events`, {
            onState: (event) => {
                const isFirst = this.event === null;
                this.event = event;
                const { state, private_released, revision = event.revision } = shown();
                if (state !== event.state || private_released !== event.private_released) void refresh(challengeKey(slug));
                if (!isFirst || revision < event.revision) board.changed();
            },
            onConnection: (connected) => (this.connected = connected),
        });
        return () => {
            board.stop();
            stop();
        };
    }
}

/** The challenge that the current page is below. */
export const [liveChallenge, provideLiveChallenge] = createContext<LiveChallenge>();
