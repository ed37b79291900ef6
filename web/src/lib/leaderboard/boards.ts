/** The boards of a challenge, for the `load` of the pages that show them. */
import type { LoadEvent } from '@sveltejs/kit';
import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import type { ChallengeDocument, Leaderboard, Split } from '$lib/api/schema';
import { boardKey } from '$lib/challenge/live.svelte';
import { SESSION } from '$lib/session.svelte';

export interface Boards {
    publicBoard: Leaderboard;
    /** `null` until the close releases it, and where all images are public. */
    privateBoard: Leaderboard | null;
}

/**
 * Both boards, which are loaded again when an event says that they have changed. What is shown beside each other arrives
 * together, so that nothing moves when the second one is there.
 *
 * @param challenge What the layout above loads.
 * @throws SvelteKit's `HttpError`, for `+error.svelte`.
 */
export async function boardsOf(slug: string, challenge: Promise<ChallengeDocument>, { depends, fetch }: Pick<LoadEvent, 'depends' | 'fetch'>): Promise<Boards> {
    depends(SESSION, boardKey(slug));
    const read = (split: Split): Promise<Leaderboard> =>
        answer(api.GET('/api/v1/challenges/{slug}/leaderboard', { fetch, params: { path: { slug }, query: { split } } }));
    const released = challenge.then(({ private_released, leaderboard }) =>
        private_released && leaderboard.public_fraction < 1 ? read('private') : null,
    );
    const [publicBoard, privateBoard] = await orErrorPage(Promise.all([read('public'), released]));
    return { publicBoard, privateBoard };
}
