/** The list of challenges, all parts of it. */
import { answer, api } from '$lib/api/client';
import type { ChallengeSummary } from '$lib/api/schema';

/**
 * Every challenge that whoever is signed in may see, newest first.
 *
 * @throws {Refusal}
 */
export async function allChallenges(fetch = globalThis.fetch): Promise<ChallengeSummary[]> {
    const challenges: ChallengeSummary[] = [];
    let after: string | undefined;
    do {
        const part = await answer(api.GET('/api/v1/challenges', { fetch, params: { query: { limit: 200, after } } }));
        challenges.push(...part.items);
        after = part.next ?? undefined;
    } while (after !== undefined);
    return challenges;
}
