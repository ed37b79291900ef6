/** Loading a page's documents again. */
import { invalidate } from '$app/navigation';
import { navigating } from '$app/state';

/**
 * Loads again what depends on `key`, once no navigation is under way: SvelteKit silently drops a navigation during
 * which something is invalidated, and a board that changes just then would keep somebody on the page they want to leave.
 */
export async function refresh(key: `${string}:${string}`): Promise<void> {
    while (navigating.to !== null) {
        // How it ends does not matter here.
        await navigating.complete.catch(() => {});
    }
    await invalidate(key);
}
