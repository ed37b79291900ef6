import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { boardKey, challengeKey } from '$lib/challenge/live.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, depends, parent }) => {
    depends(challengeKey(slug), boardKey(slug));
    await parent();
    const versions = await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}/labels', { fetch, params: { path: { slug } } })));
    return { versions: versions.items };
};
