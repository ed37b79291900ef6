import { orErrorPage } from '$lib/api/problem';
import { allChallenges } from '$lib/challenge/list';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ depends, fetch }) => {
    depends(SESSION);
    return { challenges: await orErrorPage(allChallenges(fetch)) };
};
