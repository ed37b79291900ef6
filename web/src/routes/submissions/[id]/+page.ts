import { error } from '@sveltejs/kit';
import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const load: PageLoad = async ({ fetch, params: { id }, depends }) => {
    depends(SESSION);
    if (!UUID.test(id)) {
        error(404, { message: 'This is no address of a submission: one ends with an id such as 0190163d-8694-739b-aea5-966c26f8ad91. Part of it may be missing.', malformed: true });
    }
    const submission = await orErrorPage(answer(api.GET('/api/v1/submissions/{id}', { fetch, params: { path: { id } } })));
    const challenge = await orErrorPage(
        answer(api.GET('/api/v1/challenges/{slug}', { fetch, params: { path: { slug: submission.challenge } } })),
    );
    return { submission, challenge };
};
