import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params: { slug }, parent }) => {
    await parent();
    const queue = await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}/queue', { fetch, params: { path: { slug } } })));
    return { queue };
};
