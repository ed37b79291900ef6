import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { id }, depends }) => {
    depends(SESSION);
    const submission = await orErrorPage(answer(api.GET('/api/v1/submissions/{id}', { fetch, params: { path: { id } } })));
    const challenge = await orErrorPage(
        answer(api.GET('/api/v1/challenges/{slug}', { fetch, params: { path: { slug: submission.challenge } } })),
    );
    return { submission, challenge };
};
