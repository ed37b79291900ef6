import { orErrorPage } from '$lib/api/problem';
import { loadMarkdown } from '$lib/components/markdown';
import { allChallenges } from '$lib/challenge/list';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, fetch }) => {
    // With the page, so that nothing moves when its words are there. Without it the page says so itself.
    const words = loadMarkdown().catch(() => {});
    const { challenge } = await parent();
    await words;
    if (typeof challenge.series !== 'string') return { siblings: [] };
    const all = await orErrorPage(allChallenges(fetch));
    return { siblings: all.filter(({ slug, series }) => series === challenge.series && slug !== challenge.slug) };
};
