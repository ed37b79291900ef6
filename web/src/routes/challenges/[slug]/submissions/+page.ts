import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { boardKey, challengeKey } from '$lib/challenge/live.svelte';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, depends }) => {
    depends(SESSION, challengeKey(slug), boardKey(slug));
    const path = { slug };
    const [submissions, quota] = await orErrorPage(
        Promise.all([
            answer(api.GET('/api/v1/challenges/{slug}/submissions', { fetch, params: { path, query: { limit: 50 } } })),
            answer(api.GET('/api/v1/challenges/{slug}/quota', { fetch, params: { path } })),
        ]),
    );
    return { submissions, quota };
};
