import { session } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

// Everything is rendered in the browser; the server hands out the same page at every address.
export const ssr = false;
export const prerender = false;

export const load: LayoutLoad = async ({ fetch }) => {
    try {
        await session.refresh(fetch);
    } catch {
        // A page that needs the server says itself that it is away, or that the account is disabled.
    }
};
