/** A list of submissions of which the newest part is loaded again while older parts are shown below it. */
import type { PageSubmission, Submission } from '$lib/api/schema';
import { isFinal } from './words';

/**
 * `known`, brought up to date by a newly loaded `first` part, newest first. Within the span of that part it decides what
 * there is; what is older stays, also what new submissions have pushed out of it.
 */
export function broughtUpToDate(known: readonly Submission[], { items, next }: { items: readonly Submission[]; next?: string | null }): Submission[] {
    // Ids are UUIDv7: their order is that of time. Where nothing follows, the part is the whole.
    const oldest = next ? (items.at(-1)?.id ?? '') : '';
    return [...items, ...known.filter(({ id }) => id < oldest)];
}

/** `known` with the `part` that follows below it. What new submissions have pushed out of the first part may be in both. */
export function continued(known: readonly Submission[], { items }: { items: readonly Submission[] }): Submission[] {
    const added = new Set(items.map(({ id }) => id));
    return [...known.filter(({ id }) => !added.has(id)), ...items];
}

/** `known` with one of them as it is now. */
export function withChanged(known: readonly Submission[], changed: Submission): Submission[] {
    return known.map((submission) => (submission.id === changed.id ? changed : submission));
}

/** The newest part, with as many of those after it as hold one of `known` that is not finished. */
export async function partsInWork(known: readonly Submission[], more: (after?: string) => Promise<PageSubmission>): Promise<PageSubmission> {
    const oldest = known.findLast(({ status }) => !isFinal(status))?.id;
    let part = await more();
    while (oldest !== undefined && part.next && oldest < (part.items.at(-1)?.id ?? oldest)) {
        const older = await more(part.next);
        part = { ...older, items: [...part.items, ...older.items] };
    }
    return part;
}
