/** A board may have thousands of entries: it is read again once in this time at most. */
const BETWEEN_READS_MS = 1_000;

/** Reads a board again when it has changed: at once, or as soon as the last time is long enough ago. */
export class Pace {
    readonly #read: () => void;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #last = 0;

    constructor(read: () => void) {
        this.#read = read;
    }

    /** Something has changed. Changes until the next reading are read together. */
    changed(): void {
        clearTimeout(this.#timer);
        const wait = Math.max(0, this.#last + BETWEEN_READS_MS - Date.now());
        this.#timer = setTimeout(() => {
            this.#last = Date.now();
            this.#read();
        }, wait);
    }

    stop(): void {
        clearTimeout(this.#timer);
    }
}
