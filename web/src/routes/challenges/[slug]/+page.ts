import { orErrorPage } from '$lib/api/problem';
import { allChallenges } from '$lib/challenge/list';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, fetch }) => {
    const { challenge } = await parent();
    if (typeof challenge.series !== 'string') return { siblings: [] };
    const all = await orErrorPage(allChallenges(fetch));
    return { siblings: all.filter(({ slug, series }) => series === challenge.series && slug !== challenge.slug) };
};
