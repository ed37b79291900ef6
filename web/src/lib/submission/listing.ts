/** A list of submissions of which the newest part is loaded again while older parts are shown below it. */
import type { Submission } from '$lib/api/schema';

/**
 * `known`, brought up to date by a newly loaded `first` part, newest first. Within the span of that part it decides what
 * there is; what is older stays, also what new submissions have pushed out of it.
 */
export function broughtUpToDate(known: readonly Submission[], { items, next }: { items: readonly Submission[]; next?: string | null }): Submission[] {
    // Ids are UUIDv7: their order is that of time. Where nothing follows, the part is the whole.
    const oldest = next ? (items.at(-1)?.id ?? '') : '';
    return [...items, ...known.filter(({ id }) => id < oldest)];
}
