/** The private board of a challenge, which appears when the close releases it. */
import { untrack } from 'svelte';
import { answer, api } from '$lib/api/client';
import type { ChallengeDocument, Leaderboard } from '$lib/api/schema';
import type { LiveChallenge } from '$lib/challenge/live.svelte';

export class PrivateBoard {
    /** `null` until it is released and loaded, and where all images are public. */
    board = $state.raw<Leaderboard | null>(null);
    /** Why it could not be loaded. */
    failure = $state.raw<unknown>(null);
    readonly #challenge: () => ChallengeDocument;

    /** Follows the events of `challenge`; to be made while a component is. */
    constructor(live: LiveChallenge, challenge: () => ChallengeDocument) {
        this.#challenge = challenge;
        $effect(() => {
            void live.event?.revision;
            const isReleased = live.event?.private_released ?? false;
            if (isReleased && challenge().leaderboard.public_fraction < 1) untrack(() => void this.load());
        });
    }

    async load(): Promise<void> {
        try {
            const params = { path: { slug: this.#challenge().slug }, query: { split: 'private' as const } };
            this.board = await answer(api.GET('/api/v1/challenges/{slug}/leaderboard', { params }));
            this.failure = null;
        } catch (failure) {
            this.failure = failure;
        }
    }
}
