import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { boardKey } from '$lib/challenge/live.svelte';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params: { slug }, depends, fetch }) => {
    depends(SESSION, boardKey(slug));
    const board = await orErrorPage(
        answer(api.GET('/api/v1/challenges/{slug}/leaderboard', { fetch, params: { path: { slug }, query: { split: 'public' } } })),
    );
    return { board };
};
