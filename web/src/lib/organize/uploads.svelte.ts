/** Files on their way into a challenge: one after the other, since labels are read with the names of the images before them. */
import { upload, type Sent, type Upload } from '$lib/api/upload';

/** Where a file goes, as in the address after the challenge's. */
export type Slot = 'images' | 'labels' | 'validation/images' | 'validation/labels' | `files/${string}`;

export interface Waiting {
    slot: Slot;
    file: File;
    state: 'waiting' | 'sending' | 'done' | 'failed';
    sent: Sent;
    failure: unknown;
}

export class Uploads {
    readonly slug: string;
    items = $state<Waiting[]>([]);
    #running: Upload<unknown> | null = null;
    /** Called after each file that the server took. */
    ontaken: () => void = () => {};

    constructor(slug: string) {
        this.slug = slug;
    }

    /** The newest upload into a slot. */
    of(slot: Slot): Waiting | undefined {
        return this.items.findLast((item) => item.slot === slot);
    }

    add(slot: Slot, file: File): void {
        this.items = this.items.filter((item) => item.slot !== slot || item.state === 'sending');
        this.items.push({ slot, file, state: 'waiting', sent: { sent: 0, total: file.size }, failure: null });
        void this.#next();
    }

    cancel(slot: Slot): void {
        const item = this.of(slot);
        if (item?.state === 'sending') this.#running?.cancel();
        this.items = this.items.filter((other) => other !== item);
    }

    async #next(): Promise<void> {
        const item = this.items.find(({ state }) => state === 'waiting');
        if (this.#running || !item) return;
        item.state = 'sending';
        const path = `/challenges/${encodeURIComponent(this.slug)}/${item.slot.split('/').map(encodeURIComponent).join('/')}`;
        // Names that a header cannot carry are kept in their ASCII part.
        const filename = item.file.name.replace(/[^\x20-\x7e]|["\\/]/g, '_');
        this.#running = upload('PUT', path, item.file, { 'Content-Disposition': `attachment; filename="${filename}"` }, (sent) => {
            item.sent = sent;
        });
        try {
            await this.#running.finished;
            item.state = 'done';
            this.ontaken();
        } catch (failure) {
            item.state = 'failed';
            item.failure = failure;
        } finally {
            this.#running = null;
        }
        await this.#next();
    }
}

const uploads = new Map<string, Uploads>();

/** The uploads of a challenge, which go on while its pages change. */
export function uploadsOf(slug: string): Uploads {
    let known = uploads.get(slug);
    if (!known) {
        known = new Uploads(slug);
        uploads.set(slug, known);
    }
    return known;
}
