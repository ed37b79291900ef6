/** The public board of a challenge, for the `load` of the pages that show it. */
import type { LoadEvent } from '@sveltejs/kit';
import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import type { Leaderboard } from '$lib/api/schema';
import { boardKey } from '$lib/challenge/live.svelte';
import { SESSION } from '$lib/session.svelte';

/**
 * The board, which is loaded again when an event says that it has changed.
 *
 * @throws SvelteKit's `HttpError`, for `+error.svelte`.
 */
export async function publicBoard(slug: string, { depends, fetch }: Pick<LoadEvent, 'depends' | 'fetch'>): Promise<Leaderboard> {
    depends(SESSION, boardKey(slug));
    const params = { path: { slug }, query: { split: 'public' as const } };
    return orErrorPage(answer(api.GET('/api/v1/challenges/{slug}/leaderboard', { fetch, params })));
}
