import { allChallenges } from '$lib/challenge/list';
import { orErrorPage } from '$lib/api/problem';
import { session, SESSION } from '$lib/session.svelte';
import { error } from '@sveltejs/kit';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, depends, parent }) => {
    depends(SESSION);
    await parent();
    if (session.me === null) error(401, { message: 'Sign in to run challenges.', offline: false, errors: [] });
    const challenges = await orErrorPage(allChallenges(fetch));
    return { challenges: challenges.filter(({ is_organizer }) => is_organizer) };
};
