import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { challengeKey } from '$lib/challenge/live.svelte';
import { session, SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, depends, parent }) => {
    depends(SESSION, challengeKey(slug));
    // The layout above asks who is signed in.
    await parent();
    if (session.me === null) return { quota: null };
    const quota = await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}/quota', { fetch, params: { path: { slug } } })));
    return { quota };
};
