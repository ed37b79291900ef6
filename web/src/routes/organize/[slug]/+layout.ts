import { error } from '@sveltejs/kit';
import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { challengeKey } from '$lib/challenge/live.svelte';
import { session, SESSION } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ fetch, params: { slug }, depends, parent }) => {
    depends(SESSION, challengeKey(slug));
    await parent();
    if (session.me === null) error(401, { message: 'Sign in to run this challenge.', offline: false, errors: [] });
    const challenge = await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}', { fetch, params: { path: { slug } } })));
    if (!session.runs(challenge)) {
        const message = `${challenge.title} is run by ${challenge.organizers.join(', ')}. Ask them to add you.`;
        error(403, { message, offline: false, errors: [] });
    }
    return { challenge };
};
