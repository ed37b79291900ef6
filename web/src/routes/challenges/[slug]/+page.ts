import { answer, api } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { loadMarkdown } from '$lib/components/markdown';
import { allChallenges } from '$lib/challenge/list';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, fetch }) => {
    // With the page, so that nothing moves when its words are there. Without it the page says so itself.
    const words = loadMarkdown().catch(() => {});
    const { challenge } = await parent();
    const params = { path: { slug: challenge.slug } };
    const { items: changes } = await orErrorPage(answer(api.GET('/api/v1/challenges/{slug}/changes', { fetch, params })));
    await words;
    if (typeof challenge.series !== 'string') return { changes, siblings: [] };
    const all = await orErrorPage(allChallenges(fetch));
    return { changes, siblings: all.filter(({ slug, series }) => series === challenge.series && slug !== challenge.slug) };
};
