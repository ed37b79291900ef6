import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { boardKey, challengeKey } from '$lib/challenge/live.svelte';
import { filterOf } from '$lib/organize/filters';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, url, depends, parent }) => {
    depends(challengeKey(slug), boardKey(slug));
    await parent();
    const { status } = filterOf(url);
    const submissions = await orErrorPage(
        answer(api.GET('/api/v1/challenges/{slug}/submissions', { fetch, params: { path: { slug }, query: { limit: 50, status } } })),
    );
    return { submissions };
};
