import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { challengeKey } from '$lib/challenge/live.svelte';
import { SESSION } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ params: { slug }, depends, fetch }) => {
    depends(SESSION, challengeKey(slug));
    const params = { path: { slug } };
    return { challenge: await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}', { fetch, params }))) };
};
