import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { boardKey, challengeKey } from '$lib/challenge/live.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, depends, parent }) => {
    depends(challengeKey(slug), boardKey(slug));
    // The layout refuses whoever may not be here, in words.
    await parent();
    const path = { fetch, params: { path: { slug } } };
    const [organizers, versions, troubled] = await orErrorPage(
        Promise.all([
            answer(api.GET('/api/v1/challenges/{slug}/organizers', path)),
            answer(api.GET('/api/v1/challenges/{slug}/labels', path)),
            answer(
                api.GET('/api/v1/challenges/{slug}/submissions', {
                    params: { path: { slug }, query: { status: 'rejected,failed', limit: 5 } },
                }),
            ),
        ]),
    );
    return { organizers: organizers.items, versions: versions.items, troubled: troubled.items };
};
