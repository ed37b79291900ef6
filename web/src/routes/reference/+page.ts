import { answer } from '$lib/api/client';
import { orErrorPage } from '$lib/api/problem';
import { type OpenApi, referenceOf } from '$lib/reference/openapi';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch }) => ({
    reference: referenceOf(await orErrorPage(answer(description(fetch)))),
});

/** The description of the API, which does not describe itself. */
async function description(fetch: typeof globalThis.fetch): Promise<{ response: Response; data: OpenApi }> {
    const response = await fetch('/api/v1/openapi.json');
    return { response, data: (await response.json()) as OpenApi };
}
