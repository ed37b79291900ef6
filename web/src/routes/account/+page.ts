import { answer, api } from '$lib/api/client';
import { orErrorPage, Refusal } from '$lib/api/problem';
import { SESSION } from '$lib/session.svelte';
import type { PageLoad } from './$types';

/** Challenges whose quota is shown: those of the newest submissions. */
const QUOTAS = 6;

export const load: PageLoad = async ({ fetch, depends }) => {
    depends(SESSION);
    const [me, submissions] = await orErrorPage(
        Promise.all([
            answer(api.GET('/api/v1/me', { fetch })),
            answer(api.GET('/api/v1/me/submissions', { fetch, params: { query: { limit: 50 } } })),
        ]),
    );
    const slugs = [...new Set(submissions.items.map(({ challenge }) => challenge))].slice(0, QUOTAS);
    const quotas = await orErrorPage(
        Promise.all(
            slugs.map(async (slug) => {
                const path = { fetch, params: { path: { slug } } };
                try {
                    const [challenge, quota] = await Promise.all([
                        answer(api.GET('/api/v1/challenges/{slug}', path)),
                        answer(api.GET('/api/v1/challenges/{slug}/quota', path)),
                    ]);
                    return [{ challenge, quota }];
                } catch (failure) {
                    // A draft is there for its organizers only, which somebody who has a baseline in it may no longer be.
                    if (failure instanceof Refusal && failure.status === 404) return [];
                    throw failure;
                }
            }),
        ),
    );
    return { me, submissions, quotas: quotas.flat().filter(({ challenge }) => challenge.state === 'open') };
};
